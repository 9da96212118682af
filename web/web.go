// Package web holds what a browser gets: the pages, their scripts and styles,
// and the readers of the API documents. Everything is built ahead and
// embedded, so that a page asks nobody but its own server.
package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

//go:generate go run ./build

//go:embed dist
var dist embed.FS

// Config is what the pages are told by the server.
type Config struct {
	PublicURL string // for links and QR codes; empty: the address the page was opened under
	Guests    bool   // students may sign in as guests
}

// assets are named by their content, so a copy never goes stale.
const (
	cacheAsset = "public, max-age=31536000, immutable"
	cachePage  = "no-cache"
)

// A page is one file as it is served.
type page struct {
	body        []byte
	contentType string
	cache       string
	status      int
	packed      func() []byte
}

type site struct {
	routes *http.ServeMux
	lost   *page
}

// Handler serves the pages. It fails only if what was embedded does not fit
// together, which is a fault of the build.
func Handler(c Config) (http.Handler, error) {
	app, err := appPage(c)
	if err != nil {
		return nil, err
	}
	lost := *app
	lost.status = http.StatusNotFound

	s := &site{routes: http.NewServeMux(), lost: &lost}
	for _, route := range []string{"/{$}", "/j/{code}", "/room/{id}", "/teach", "/teach/{room_id}", "/teach/{room_id}/record"} {
		s.routes.Handle(route, app)
	}
	s.routes.Handle("/", s.lost)
	return s, s.addFiles()
}

// ServeHTTP answers GET and HEAD; a page changes nothing.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	s.routes.ServeHTTP(w, r)
}

func appPage(c Config) (*page, error) {
	source, err := dist.ReadFile("dist/index.html")
	if err != nil {
		return nil, err
	}
	t, err := template.New("index.html").Parse(string(source))
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	if err := t.Execute(&body, c); err != nil {
		return nil, err
	}
	return newPage("index.html", body.Bytes()), nil
}

// addFiles routes everything below dist but the template of the app's page.
func (s *site) addFiles() error {
	return fs.WalkDir(dist, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "dist/index.html" {
			return err
		}
		body, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		route := strings.TrimPrefix(name, "dist")
		p := newPage(route, body)
		s.routes.Handle(route, p)
		switch page, isPage := strings.CutSuffix(route, ".html"); {
		case route == "/docs/index.html":
			s.routes.Handle("/docs", p)
			s.routes.Handle("/docs/{$}", p)
		case isPage:
			s.routes.Handle(page, p)
		}
		return nil
	})
}

func newPage(route string, body []byte) *page {
	p := &page{body: body, contentType: contentType(path.Ext(route)), cache: cachePage, status: http.StatusOK}
	if strings.HasPrefix(route, "/assets/") {
		p.cache = cacheAsset
	}
	p.packed = sync.OnceValue(func() []byte { return pack(body) })
	return p
}

// contentType knows all that the build makes; the machine's own table may differ.
func contentType(ext string) string {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".json":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	}
	return "text/plain; charset=utf-8"
}

// pack compresses body; it answers nil where that gains nothing.
func pack(body []byte) []byte {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil
	}
	// A bytes.Buffer takes every write.
	_, _ = z.Write(body)
	_ = z.Close()
	if packed.Len() >= len(body) {
		return nil
	}
	return packed.Bytes()
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", p.contentType)
	h.Set("Cache-Control", p.cache)
	h.Set("Content-Security-Policy", policy(r.Host))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Vary", "Accept-Encoding")
	body := p.body
	if acceptsGzip(r.Header) {
		if packed := p.packed(); packed != nil {
			h.Set("Content-Encoding", "gzip")
			body = packed
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.status)
	if r.Method == http.MethodGet {
		// A failed write is the client's going away.
		_, _ = w.Write(body)
	}
}

// acceptsGzip is deaf to weights but for a refusal, as browsers send none.
func acceptsGzip(h http.Header) bool {
	for _, coding := range strings.Split(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.TrimSpace(name) == "gzip" {
			return strings.TrimSpace(weight) != "q=0"
		}
	}
	return false
}

// plainHost is a host and port that cannot end a directive of the policy.
var plainHost = regexp.MustCompile(`^[A-Za-z0-9.\-:\[\]]+$`)

// policy lets a page load from its own server alone. The socket's address is
// named as well: not every browser counts ws: as 'self'.
func policy(host string) string {
	connect := "'self'"
	if plainHost.MatchString(host) {
		connect += fmt.Sprintf(" ws://%s wss://%s", host, host)
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src " + connect +
		"; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}
