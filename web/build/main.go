// Command build bundles the browser client and the pages into dist, the same
// bytes each time. It runs in the folder web, after npm ci.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

// assets maps a source to the address that it is served under.
type assets map[string]string

func run() error {
	if err := os.RemoveAll("dist"); err != nil {
		return err
	}
	built, err := bundle()
	if err != nil {
		return err
	}
	for _, source := range []string{
		"app/icon.svg",
		"node_modules/swagger-ui-dist/swagger-ui-bundle.js",
		"node_modules/swagger-ui-dist/swagger-ui.css",
	} {
		if err := built.copyHashed(source); err != nil {
			return err
		}
	}
	if err := built.render("app/index.html", "dist/index.html"); err != nil {
		return err
	}
	if err := built.render("app/docs.html", "dist/docs/explore.html"); err != nil {
		return err
	}
	if err := built.copyDocs(); err != nil {
		return err
	}
	return licences()
}

// bundle writes the scripts and styles. What only instructors need comes in
// chunks of its own.
func bundle() (assets, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:     dir,
		EntryPoints:       []string{"app/main.tsx", "app/app.css", "app/docs.ts", "app/docs.css"},
		Outdir:            "dist/assets",
		Outbase:           "app",
		EntryNames:        "[name]-[hash]",
		ChunkNames:        "[name]-[hash]",
		Bundle:            true,
		Splitting:         true,
		Format:            api.FormatESModule,
		Target:            api.ES2022,
		JSX:               api.JSXAutomatic,
		JSXImportSource:   "preact",
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		LegalComments:     api.LegalCommentsNone, // licenses.txt has them in full
		Charset:           api.CharsetUTF8,
		Metafile:          true,
		Write:             true,
		LogLevel:          api.LogLevelWarning,
	})
	if len(result.Errors) > 0 {
		return nil, errors.New(result.Errors[0].Text)
	}
	return entryPoints(result.Metafile)
}

func entryPoints(metafile string) (assets, error) {
	var meta struct {
		Outputs map[string]struct {
			EntryPoint string `json:"entryPoint"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		return nil, err
	}
	built := assets{}
	for name, output := range meta.Outputs {
		if output.EntryPoint != "" {
			built[output.EntryPoint] = strings.TrimPrefix(name, "dist")
		}
	}
	return built, nil
}

// copyHashed puts a file among the assets, its content in its name.
func (a assets) copyHashed(source string) error {
	body, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	body = withoutSourceMap(body)
	sum := sha256.Sum256(body)
	ext := path.Ext(source)
	name := strings.TrimSuffix(path.Base(source), ext) + "-" + base32.StdEncoding.EncodeToString(sum[:5]) + ext
	a[source] = "/assets/" + name
	return os.WriteFile(filepath.Join("dist/assets", name), body, 0o644)
}

// withoutSourceMap cuts the pointer to a map that is not shipped.
func withoutSourceMap(body []byte) []byte {
	if i := bytes.LastIndex(body, []byte("sourceMappingURL=")); i >= 0 {
		line := bytes.LastIndexByte(body[:i], '\n') + 1
		return body[:line]
	}
	return body
}

// render fills a page's [[asset "source"]], [[style]] and [[nav]].
func (a assets) render(source, target string) error {
	page, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	asset := func(source string) (string, error) {
		if address, ok := a[source]; ok {
			return address, nil
		}
		return "", fmt.Errorf("no asset is built from %s", source)
	}
	words := template.FuncMap{"asset": asset, "style": a.style, "nav": func() string { return nav("/docs/http") }}
	t, err := template.New(target).Delims("[[", "]]").Funcs(words).Parse(string(page))
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, nil); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, out.Bytes(), 0o644)
}

// licences gathers the terms of everything that is in the bundles.
func licences() error {
	var out bytes.Buffer
	for _, name := range []string{"preact", "lean-qr", "swagger-ui-dist"} {
		text, err := os.ReadFile(filepath.Join("node_modules", name, "LICENSE"))
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%s\n%s\n\n%s\n\n", name, strings.Repeat("=", len(name)), bytes.TrimSpace(text))
	}
	return os.WriteFile("dist/licenses.txt", out.Bytes(), 0o644)
}
