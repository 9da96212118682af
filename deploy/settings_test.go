package deploy_test

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSettingsExist: what is set in these files, the README has as a setting.
func TestSettingsExist(t *testing.T) {
	_, settings, _ := strings.Cut(source(t, "../README.md"), "\n## Settings\n")
	settings, _, _ = strings.Cut(settings, "\n## ")
	files := []string{"../Dockerfile"}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "secret" {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() && filepath.Ext(path) != ".png" && filepath.Ext(path) != ".go" {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 20 {
		t.Fatalf("found %q: %v", files, err)
	}
	for _, file := range files {
		for _, name := range regexp.MustCompile(`LECTERN_\w+`).FindAllString(source(t, file), -1) {
			if !strings.Contains(settings, "| `"+strings.TrimSuffix(name, "_FILE")+"` |") {
				t.Errorf("%s has %s, which is no setting", file, name)
			}
		}
	}
}
