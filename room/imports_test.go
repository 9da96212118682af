package room

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Who may import whom: cmd knows all, hub and store know room and never
// meet, and room itself knows the standard library and the passports' library
// only.
func TestImports(t *testing.T) {
	const module = "github.com/lectern-room/lectern/"
	may := map[string][]string{
		"cmd":    {"hub", "room", "store", "web"},
		"deploy": nil, // tests alone, of what is deployed
		"hub":    {"room"},
		"room":   nil,
		"store":  {"room"},
		"web":    nil,
	}
	seen := map[string]bool{}
	for _, p := range listed(t) {
		folder, ours := inFolder(p.ImportPath, module)
		if !ours {
			continue
		}
		seen[folder] = true
		of, known := may[folder]
		if !known {
			t.Errorf("%s is in no folder of the design", p.ImportPath)
		}
		for _, i := range p.Imports {
			if other, ours := inFolder(i, module); ours && other != folder && !slices.Contains(of, other) {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
		for _, d := range p.Deps {
			host, _, _ := strings.Cut(d, "/") // has a dot outside the standard library
			if p.ImportPath == module+"room" && strings.Contains(host, ".") && !strings.HasPrefix(d, "github.com/go-jose/") {
				t.Errorf("%s depends on %s", p.ImportPath, d)
			}
		}
	}
	if !seen["room"] {
		t.Errorf("packages were found in %v", seen)
	}
}

// inFolder returns the folder of the module that a package is in.
func inFolder(path, module string) (folder string, ours bool) {
	rest, ours := strings.CutPrefix(path, module)
	folder, _, _ = strings.Cut(rest, "/")
	return folder, ours
}

type listing struct {
	ImportPath    string
	Imports, Deps []string
}

// listed are the module's packages, those that do not compile too.
func listed(t *testing.T) (all []listing) {
	list := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,Deps", "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%v: %v", list, err)
	}
	for in := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listing
		switch err := in.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
