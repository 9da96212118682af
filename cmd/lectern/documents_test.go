package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// documentedExamples are what the documents show.
const documentedExamples = "../../web/docs/examples/"

// tool returns a program that make test installs.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name) // a server
	}
	if err != nil {
		t.Skipf("there is no %s on this machine: make test installs it", name)
	}
	return path
}

// says runs a program of the documents and returns what it prints.
func says(t *testing.T, stdin string, environ []string, command ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	var complaints bytes.Buffer
	c.Stdin, c.Stderr, c.Env = strings.NewReader(stdin), &complaints, append(os.Environ(), environ...)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", command, err, out, &complaints)
	}
	return string(out)
}

// TestDocumentedPassports: what the programs on the page "Integrate" make is
// what the program itself takes.
func TestDocumentedPassports(t *testing.T) {
	t.Parallel()
	node := tool(t, "node")
	python, java, compiler := tool(t, "python3"), tool(t, "java"), tool(t, "go")
	signing, encryption := room.NewKey("s1"), room.NewKey("e1")
	keys := []string{
		signingKeys + "=" + signing.Reveal() + "," + room.NewKey("s0").Reveal(), encryptionKeys + "=" + encryption.Reveal(), "LECTERN_DATA=" + t.TempDir(),
	}
	folder := t.TempDir()
	pem, set := filepath.Join(folder, "signing.pem"), filepath.Join(folder, "keys.json")
	says(t, "", nil, node, documentedExamples+"jwks.mjs", pem, set)

	const name = `Kim "김" O'Neil \ é & 😀`
	encrypt := []string{node, documentedExamples + "encrypted.mjs"}
	for _, made := range []struct {
		by      []string
		through []string // its output
		with    []string // settings
	}{
		{by: []string{node, documentedExamples + "passport.mjs"}},
		{by: []string{python, documentedExamples + "passport.py"}},
		{by: []string{compiler, "run", documentedExamples + "passport.go"}},
		{by: []string{java, documentedExamples + "Passport.java"}},
		{by: []string{node, documentedExamples + "passport.mjs"}, through: encrypt, with: []string{"LECTERN_PASSPORT_ENCRYPTED=required"}},
		{by: []string{node, documentedExamples + "eddsa.mjs", pem, set}, with: []string{"LECTERN_PASSPORT_JWKS=" + set}},
	} {
		token := says(t, "", keys, append(made.by, "s42", name, "student", "28800")...)
		if made.through != nil {
			token = says(t, token, keys, made.through...)
		}
		var out, log bytes.Buffer
		err := run(t.Context(), []string{"passport", "--verify", "--json"}, append(keys, made.with...), strings.NewReader(token), &out, &log)
		var found finding
		if err != nil || json.Unmarshal(out.Bytes(), &found) != nil {
			t.Errorf("%v made %s: %v, %s%s", made.by, token, err, &out, &log)
		}
		left := time.Until(found.ExpiresAt)
		if !found.Valid || found.Kind != "user" || found.User != "s42" || found.Name != name || found.Role != "student" || left < 7*time.Hour || left > 8*time.Hour {
			t.Errorf("%v made %+v", made.by, found)
		}
	}
}

// A shown block is code of a document.
type shown struct{ kind, text string }

// blocks returns the commands of a document and the answers below them.
func blocks(t *testing.T, document string) (found []shown) {
	t.Helper()
	page, err := os.ReadFile("../../web/docs/" + document)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile(`(?s)<pre><code class="(curl|json)">(.*?)</code></pre>`).FindAllStringSubmatch(string(page), -1) {
		found = append(found, shown{block[1], html.UnescapeString(block[2])})
	}
	return found
}

// followPage runs a document's commands one after the other, as a reader does who
// takes the room's id and code out of the answer, and compares the answers.
func followPage(t *testing.T, i *instance, document, instructor string) {
	shell := tool(t, "sh")
	tool(t, "curl")
	folder := t.TempDir()
	environ := []string{
		"LECTERN=" + i.loadTarget.url.String(), "PASSPORT=" + i.pass(instructor, room.Instructor), "STUDENT=" + i.pass("s42", room.Student),
	}
	code := blocks(t, document)
	for n, block := range code {
		if block.kind != "curl" {
			continue
		}
		said := says(t, "", environ, shell, "-c", "cd '"+folder+"' && "+block.text)
		var answer struct {
			Type string
			Room struct{ ID, Code string }
		}
		json.Unmarshal([]byte(said), &answer) // where it is JSON
		if answer.Room.ID != "" {
			environ = append(environ, "ROOM="+answer.Room.ID, "CODE="+answer.Room.Code)
		}
		if n+1 == len(code) || code[n+1].kind != "json" {
			if answer.Type == "about:blank" {
				t.Errorf("%s is answered %s", block.text, said)
			}
			continue
		}
		if err := alike(parsed(t, code[n+1].text), parsed(t, said)); err != nil {
			t.Errorf("%s: %v: it is answered %s", block.text, err, said)
		}
	}
	files, err := filepath.Glob(folder + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if data, err := os.ReadFile(file); err != nil || len(data) == 0 || bytes.Contains(data, []byte("about:blank")) {
			t.Errorf("%s: %v, %.200s", file, err, data)
		}
	}
}

func parsed(t *testing.T, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

// alike tells how an answer has other fields than the example, or other kinds
// of values. An example with the field "…" leaves some out.
func alike(example, answer any) error {
	switch example := example.(type) {
	case map[string]any:
		answer, ok := answer.(map[string]any)
		if !ok {
			return fmt.Errorf("%v is no object", answer)
		}
		_, shortened := example["…"]
		for name, value := range answer {
			expected, named := example[name]
			if !named && !shortened {
				return fmt.Errorf("%s is not in the example", name)
			}
			if err := alike(expected, value); named && err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		for name := range example {
			if _, there := answer[name]; !there && name != "…" {
				return fmt.Errorf("%s is not answered", name)
			}
		}
	case []any:
		answer, ok := answer.([]any)
		if !ok {
			return fmt.Errorf("%v is no list", answer)
		}
		for _, item := range answer {
			if !slices.ContainsFunc(example, func(one any) bool { return alike(one, item) == nil }) {
				return fmt.Errorf("no item of the example is like %v", item)
			}
		}
	default:
		if example != nil && answer != nil && reflect.TypeOf(example) != reflect.TypeOf(answer) {
			return fmt.Errorf("%v is shown as %v", answer, example)
		}
	}
	return nil
}

// TestDocumentedCalls: the page about the HTTP API can be followed, and tells
// of every call all that its description for programs does.
func TestDocumentedCalls(t *testing.T) {
	t.Parallel()
	i := startInstance(t)
	followPage(t, i, "http.html", "t1")

	page, err := os.ReadFile("../../web/docs/http.html")
	if err != nil {
		t.Fatal(err)
	}
	var described struct {
		Paths map[string]map[string]struct {
			OperationID string
			Parameters  []struct{ Name string }
			RequestBody struct {
				Content map[string]struct {
					Schema struct {
						Ref string `json:"$ref"`
					}
				}
			}
			Responses map[string]struct{ Description string }
		}
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	if err := i.call(t.Context(), "", "GET", "/openapi.json", "", &described); err != nil {
		t.Fatal(err)
	}
	for path, item := range described.Paths {
		for method, call := range item {
			_, section, found := strings.Cut(string(page), `<section id="`+call.OperationID+`">`)
			section, _, _ = strings.Cut(section, "</section>")
			want := []string{strings.ToUpper(method) + " " + path}
			for _, parameter := range call.Parameters {
				want = append(want, parameter.Name)
			}
			for _, body := range call.RequestBody.Content {
				for name := range described.Components.Schemas[filepath.Base(body.Schema.Ref)].Properties {
					want = append(want, name)
				}
			}
			for status, response := range call.Responses {
				if slices.Contains([]string{"404", "409", "410"}, status) {
					want = append(want, regexp.MustCompile("`"+`(\w+)`+"`").FindString(response.Description))
				}
			}
			for _, name := range want {
				if !found || !strings.Contains(section, "<code>"+strings.Trim(name, "`")+"</code>") {
					t.Errorf("%s %s: the page does not tell of %s", method, path, name)
				}
			}
		}
	}
}

// TestDocumentedIntegration: so can the page about other systems.
func TestDocumentedIntegration(t *testing.T) {
	t.Parallel()
	tool(t, "python3")
	followPage(t, startInstance(t), "integrate.html", "t1")
}
