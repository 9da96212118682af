package main

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// documents are the pages in the order in which they are read.
var documents = [][2]string{
	{"/docs", "Documents"},
	{"/docs/start", "Quick start"},
	{"/docs/integrate", "Integrate"},
	{"/docs/operate", "Operate"},
	{"/docs/scaling", "Scaling"},
	{"/docs/http", "HTTP API"},
	{"/docs/socket", "Socket protocol"},
}

// nav is above every document, with current marked.
func nav(current string) string {
	var out strings.Builder
	out.WriteString(`<nav class="docs-nav" aria-label="Documents"><a href="/">Lectern</a>`)
	for _, link := range documents {
		mark := ""
		if link[0] == current {
			mark = ` aria-current="page"`
		}
		fmt.Fprintf(&out, `<a href="%s"%s>%s</a>`, link[0], mark, link[1])
	}
	out.WriteString(`</nav>`)
	return out.String()
}

// copyDocs takes over the documents; a page gets the common style and nav.
func (a assets) copyDocs() error {
	pages, err := filepath.Glob("docs/*.html")
	if err != nil {
		return err
	}
	for _, source := range pages {
		body, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		name := filepath.Base(source)
		route := strings.TrimSuffix("/docs/"+strings.TrimSuffix(name, ".html"), "/index")
		page, err := a.dress(string(body), route)
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		if err := os.WriteFile(filepath.Join("dist/docs", name), page, 0o644); err != nil {
			return err
		}
	}
	return describeSocket("docs/asyncapi.json", "dist/docs/asyncapi.json")
}

// style is what every document has in its head.
func (a assets) style() string {
	return `<link rel="icon" href="` + a["app/icon.svg"] + `" type="image/svg+xml">` + "\n" +
		`<link rel="stylesheet" href="` + a["app/docs.css"] + `">`
}

func (a assets) dress(page, route string) ([]byte, error) {
	for _, tag := range []string{"</head>", "<body>"} {
		if strings.Count(page, tag) != 1 {
			return nil, fmt.Errorf("%s must be there once", tag)
		}
	}
	page = strings.Replace(page, "</head>", a.style()+"\n</head>", 1)
	page = strings.Replace(page, "<body>", "<body>\n"+nav(route), 1)
	return withExamples(page)
}

// included is where an example is shown: the tests run the file itself.
var included = regexp.MustCompile(`data-file="([\w.-]+)"></code>`)

// withExamples puts the files among docs/examples where pages name them.
func withExamples(page string) ([]byte, error) {
	var missing error
	page = included.ReplaceAllStringFunc(page, func(found string) string {
		body, err := os.ReadFile(filepath.Join("docs/examples", included.FindStringSubmatch(found)[1]))
		if err != nil {
			missing = err
		}
		return ">" + html.EscapeString(strings.TrimSpace(string(body))) + "</code>"
	})
	return []byte(page), missing
}
