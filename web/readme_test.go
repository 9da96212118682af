package web_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeNamesWhatExists: tests, constants, files and settings that the
// README speaks of are there under these names.
func TestReadmeNamesWhatExists(t *testing.T) {
	readme := source(t, "../README.md")
	code := map[string]string{} // all of a folder's
	for _, folder := range []string{"cmd/cluster", "cmd/lectern", "cmd/prove", "room", "hub", "store", "store/servers", "store/storetest", "web", "deploy"} {
		files, err := filepath.Glob("../" + folder + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", folder, files, err)
		}
		for _, file := range files {
			code[folder] += source(t, file)
		}
	}
	var everything strings.Builder
	for _, text := range code {
		everything.WriteString(text)
	}

	for _, name := range named(readme, "`((?:Test|Fuzz)\\w+)[`/]") {
		if !strings.Contains(everything.String(), "func "+name+"(") {
			t.Errorf("there is no test %s", name)
		}
	}
	for _, name := range named(readme, "`TestSQLite/(\\w+)`") {
		if !strings.Contains(code["store/storetest"], `"`+name+`":`) {
			t.Errorf("no promise of a store is called %s", name)
		}
	}
	for _, name := range named(readme, "`((?:room|hub|store)\\.\\w+)`") {
		folder, constant, _ := strings.Cut(name, ".")
		if !regexp.MustCompile(`(?m)^(\t|const |func )` + constant + `\b`).MatchString(code[folder]) {
			t.Errorf("there is no %s", name)
		}
	}
	for _, name := range named(readme, `LECTERN_(\w+[A-Z])`) {
		field := strings.ReplaceAll(strings.ToLower(name), "_", "")
		if !strings.Contains(strings.ToLower(code["cmd/lectern"]), "\n\t"+field+" ") && !strings.Contains(code["cmd/lectern"], `"LECTERN_`+name+`"`) {
			t.Errorf("there is no setting LECTERN_%s", name)
		}
	}
}

// TestReadmeMapIsComplete: the map of the code has every file, and no other.
func TestReadmeMapIsComplete(t *testing.T) {
	_, section, _ := strings.Cut(source(t, "../README.md"), "### The map")
	section, _, _ = strings.Cut(section, "\n###")
	shown := map[string]bool{}
	var folder string
	for _, line := range regexp.MustCompile(`(?m)^    (  )?(\S+)`).FindAllStringSubmatch(section, -1) {
		if line[1] == "" {
			folder = line[2]
			continue
		}
		files, err := filepath.Glob("../" + folder + line[2])
		if err != nil || len(files) == 0 {
			t.Errorf("there is no %s%s", folder, line[2])
		}
		for _, file := range files {
			shown[filepath.Clean(file)] = true
		}
	}
	for _, folder := range []string{"cmd/cluster", "cmd/lectern", "cmd/prove", "room", "hub", "store", "store/servers", "web"} {
		files, err := filepath.Glob("../" + folder + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") && !shown[file] {
				t.Errorf("the map lacks %s", file)
			}
		}
	}
}

func source(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// named returns what the pattern's group finds.
func named(text, pattern string) (names []string) {
	for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	return names
}
