package web

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
)

// The tests of the client and of the pages are TypeScript. The client's read
// the golden messages that the server's tests read.
func TestTypeScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node on this machine")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("*/*.test.ts")
	if err != nil || len(sources) == 0 {
		t.Fatalf("tests in TypeScript: %v, %v", sources, err)
	}
	out := t.TempDir()
	result := api.Build(api.BuildOptions{
		AbsWorkingDir: dir,
		EntryPoints:   sources,
		Outdir:        out,
		OutExtension:  map[string]string{".js": ".mjs"},
		Bundle:        true,
		Platform:      api.PlatformNode,
		Format:        api.FormatESModule,
		Sourcemap:     api.SourceMapInline,
		Write:         true,
	})
	for _, message := range result.Errors {
		t.Errorf("%s: %s", message.Location.File, message.Text)
	}
	cmd := exec.CommandContext(t.Context(), node, "--enable-source-maps", "--test", out)
	cmd.Env = append(os.Environ(), "LECTERN_GOLDEN="+filepath.Join(dir, "../room/testdata"))
	report, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	t.Logf("%s", report)
}
