package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// nav is above every document, with current marked.
func nav(current string) string {
	var out strings.Builder
	out.WriteString(`<nav class="docs-nav" aria-label="Documents"><a href="/">Lectern</a>`)
	for _, link := range [][2]string{{"/docs", "HTTP API"}, {"/docs/socket", "Socket protocol"}} {
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
	entries, err := os.ReadDir("docs")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		source, target := filepath.Join("docs", entry.Name()), filepath.Join("dist/docs", entry.Name())
		body, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		switch filepath.Ext(source) {
		case ".html":
			body, err = a.dress(string(body), "/docs/"+strings.TrimSuffix(entry.Name(), ".html"))
			if err != nil {
				return fmt.Errorf("%s: %w", source, err)
			}
		case ".json":
		default:
			continue
		}
		if err := os.WriteFile(target, body, 0o644); err != nil {
			return err
		}
	}
	return nil
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
	return []byte(page), nil
}
