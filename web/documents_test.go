package web_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lectern-room/lectern/web"
)

// A document is a page of the documents as its reader sees it.
type document struct {
	ids      []string // in order
	sections []string // ids of the sections
	links    []string // within the page
	away     []string // to other pages
	files    []string // among the examples, shown here
	examples []string // of JSON
	code     map[string]string
}

// readDocument fails the test if the page is not well-formed, or has what
// pages under the site's policy may not have.
func readDocument(t *testing.T, name string) *document {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("docs", name))
	if err != nil {
		t.Fatal(err)
	}
	d := &document{code: map[string]string{}}
	page := xml.NewDecoder(bytes.NewReader(source))
	page.Entity = xml.HTMLEntity
	for {
		token, err := page.Token()
		if errors.Is(err, io.EOF) {
			return d
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if tag, ok := token.(xml.StartElement); ok {
			d.read(t, page, tag)
		}
	}
}

func (d *document) read(t *testing.T, page *xml.Decoder, tag xml.StartElement) {
	t.Helper()
	attributes := map[string]string{}
	for _, a := range tag.Attr {
		attributes[a.Name.Local] = a.Value
	}
	id := attributes["id"]
	if _, styled := attributes["style"]; styled || slices.Contains([]string{"script", "style", "link", "img"}, tag.Name.Local) {
		t.Errorf("<%s> is not for a document", tag.Name.Local)
	}
	if id != "" {
		d.ids = append(d.ids, id)
	}
	if target, ok := strings.CutPrefix(attributes["href"], "#"); ok {
		d.links = append(d.links, target)
	} else if target := attributes["href"]; target != "" {
		d.away = append(d.away, target)
	}
	if file := attributes["data-file"]; file != "" {
		d.files = append(d.files, file)
	}
	switch tag.Name.Local {
	case "section":
		d.sections = append(d.sections, id)
	case "code":
		var text struct {
			Text string `xml:",chardata"`
		}
		if err := page.DecodeElement(&text, &tag); err != nil {
			t.Fatal(err)
		}
		if attributes["class"] == "json" {
			d.examples = append(d.examples, text.Text)
		}
		d.code[id] = text.Text
	}
}

// readDocuments returns every document by the address that it is served under.
func readDocuments(t *testing.T) map[string]*document {
	t.Helper()
	files, err := filepath.Glob("docs/*.html")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	documents := map[string]*document{}
	for _, file := range files {
		name := filepath.Base(file)
		route := strings.TrimSuffix("/docs/"+strings.TrimSuffix(name, ".html"), "/index")
		documents[route] = readDocument(t, name)
	}
	return documents
}

func TestDocumentLinks(t *testing.T) {
	for route, d := range readDocuments(t) {
		for i, id := range d.ids {
			if slices.Contains(d.ids[:i], id) {
				t.Errorf("%s: id %q is there twice", route, id)
			}
		}
		for _, target := range d.links {
			if !slices.Contains(d.ids, target) {
				t.Errorf("%s: #%s leads nowhere", route, target)
			}
		}
		for _, section := range d.sections {
			if !slices.Contains(d.links, section) && route != "/docs" { // which is contents as a whole
				t.Errorf("%s: no link leads to section %q", route, section)
			}
		}
	}
}

// repository is where readers find what no server has.
const repository = "https://github.com/lectern-room/lectern"

// TestDocumentsLeadSomewhere: links to other documents, to what a server
// answers, and to files of the repository.
func TestDocumentsLeadSomewhere(t *testing.T) {
	documents := readDocuments(t)
	site, err := web.Handler(web.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for route, d := range documents {
		for _, target := range d.away {
			page, id, _ := strings.Cut(target, "#")
			file, inRepository := strings.CutPrefix(page, repository+"/blob/main/")
			other, document := documents[page]
			switch {
			case document:
				if id != "" && !slices.Contains(other.ids, id) {
					t.Errorf("%s: %s leads nowhere", route, target)
				}
			case inRepository:
				if _, err := os.Stat(filepath.Join("..", file)); err != nil {
					t.Errorf("%s: %v", route, err)
				}
			case strings.HasPrefix(page, "/") && page != "/openapi.json":
				w := httptest.NewRecorder()
				site.ServeHTTP(w, httptest.NewRequest("GET", page, nil))
				if w.Code != 200 {
					t.Errorf("%s: %s is answered %d", route, target, w.Code)
				}
			case page != repository && page != "/openapi.json":
				t.Errorf("%s: %s is not ours", route, target)
			}
		}
	}
}

// TestExamplesAreShown: every file among the examples is in one of the pages,
// whose tests run it, and the pages as they are served have it.
func TestExamplesAreShown(t *testing.T) {
	var shown []string
	for route, d := range readDocuments(t) {
		shown = append(shown, d.files...)
		for _, file := range d.files {
			text := html.EscapeString(strings.TrimSpace(source(t, "docs/examples/"+file)))
			if !strings.Contains(source(t, "dist"+route+".html"), text) {
				t.Errorf("%s lacks %s as it is", route, file)
			}
		}
	}
	files, err := filepath.Glob("docs/examples/*")
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	if !strings.Contains(source(t, "../README.md"), strings.TrimSpace(source(t, "docs/examples/passport.mjs"))) {
		t.Error("the README lacks passport.mjs as it is")
	}
	slices.Sort(shown)
	if !slices.Equal(shown, files) {
		t.Errorf("shown are %q, there are %q", shown, files)
	}
}

// TestDocumentsNameWhatExists: settings and metrics that documents speak of
// are in the README, which is held to the code.
func TestDocumentsNameWhatExists(t *testing.T) {
	readme := source(t, "../README.md")
	files, err := filepath.Glob("docs/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text := source(t, file)
		for _, setting := range named(text, `\b(LECTERN_\w+[A-Z])\b`) {
			if !strings.Contains(readme, strings.TrimSuffix(setting, "_FILE")) {
				t.Errorf("%s: there is no setting %s", file, setting)
			}
		}
		for _, metric := range named(text, `\blectern_(\w+)\b`) {
			if metric != "passport" && !regexp.MustCompile("`"+metric+"[`{]").MatchString(readme) { // the cookie
				t.Errorf("%s: there is no metric lectern_%s", file, metric)
			}
		}
	}
}
