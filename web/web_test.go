package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func siteWith(t *testing.T, c Config) http.Handler {
	t.Helper()
	h, err := Handler(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(h http.Handler, method, target string, header http.Header) *http.Response {
	r := httptest.NewRequest(method, "http://lectern.example"+target, nil)
	r.Header = header
	if header == nil {
		r.Header = http.Header{}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func read(t *testing.T, r *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestStatus(t *testing.T) {
	h := siteWith(t, Config{})
	for target, want := range map[string]int{
		"/": 200, "/j/K7QF3MXD": 200, "/room/0198c0de": 200, "/teach": 200, "/teach/0198c0de": 200, "/teach/0198c0de/record": 200,
		"/docs": 200, "/docs/": 200, "/docs/start": 200, "/docs/integrate": 200, "/docs/operate": 200, "/docs/scaling": 200,
		"/docs/http": 200, "/docs/explore": 200, "/docs/socket": 200, "/docs/asyncapi.json": 200, "/licenses.txt": 200,
		"/nothing": 404, "/j": 404, "/j/": 404, "/j/a/b": 404, "/teach/a/b": 404, "/assets/": 404, "/assets/app.css": 404,
		"/index.html": 404, "/dist/index.html": 404, "/docs/nothing": 404,
	} {
		r := get(h, "GET", target, nil)
		if r.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", target, r.StatusCode, want)
		}
		if want == 404 && !strings.Contains(read(t, r), "main-") {
			t.Errorf("GET %s: the page for lost people does not load the app", target)
		}
	}
}

func TestOnlyReading(t *testing.T) {
	h := siteWith(t, Config{})
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		r := get(h, method, "/", nil)
		if r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, r.StatusCode, r.Header.Get("Allow"))
		}
	}
	whole, head := get(h, "GET", "/", nil), get(h, "HEAD", "/", nil)
	if head.StatusCode != 200 || read(t, head) != "" || head.Header.Get("Content-Length") != whole.Header.Get("Content-Length") {
		t.Errorf("HEAD: %d, length %q", head.StatusCode, head.Header.Get("Content-Length"))
	}
}

func TestHeaders(t *testing.T) {
	h := siteWith(t, Config{})
	script := assets(t)[0]
	for target, cache := range map[string]string{"/": cachePage, "/teach": cachePage, "/nothing": cachePage, "/docs": cachePage, script: cacheAsset} {
		header := get(h, "GET", target, nil).Header
		for name, want := range map[string]string{
			"Cache-Control":              cache,
			"X-Content-Type-Options":     "nosniff",
			"Referrer-Policy":            "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}
	}
	app := get(h, "GET", "/", nil).Header.Get("Content-Security-Policy")
	want := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
		"connect-src 'self' ws://lectern.example wss://lectern.example; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	if app != want {
		t.Errorf("policy: %s", app)
	}
	if strings.Contains(policy("a; script-src *"), "*") {
		t.Error("a host got into the policy as a directive")
	}
}

func TestGzip(t *testing.T) {
	h := siteWith(t, Config{})
	for _, target := range append(assets(t), "/", "/docs") {
		plain := read(t, get(h, "GET", target, nil))
		packed := get(h, "GET", target, http.Header{"Accept-Encoding": {"br, gzip;q=0.8"}})
		if packed.Header.Get("Content-Encoding") != "gzip" || packed.Header.Get("Vary") != "Accept-Encoding" {
			if len(plain) > 1000 {
				t.Errorf("%s: not compressed", target)
			}
			continue
		}
		z, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := io.ReadAll(z)
		if err != nil || string(unpacked) != plain {
			t.Errorf("%s: unpacks to something else: %v", target, err)
		}
	}
	for _, accept := range []string{"", "br", "gzip;q=0", "xgzip"} {
		if r := get(h, "GET", "/", http.Header{"Accept-Encoding": {accept}}); r.Header.Get("Content-Encoding") != "" {
			t.Errorf("compressed for %q", accept)
		}
	}
}

// The settings reach the page as text, whatever is in them.
func TestConfig(t *testing.T) {
	page := read(t, get(siteWith(t, Config{PublicURL: `https://lectern.example/"><script>`, Guests: true}), "GET", "/j/K7QF3MXD", nil))
	for _, want := range []string{
		`<meta name="lectern-guests" content="true">`,
		`<meta name="lectern-public-url" content="https://lectern.example/&#34;&gt;&lt;script&gt;">`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if !strings.Contains(read(t, get(siteWith(t, Config{}), "GET", "/", nil)), `<meta name="lectern-guests" content="false">`) {
		t.Error("guests are not off")
	}
}

// loads finds what a browser fetches by itself.
var loads = regexp.MustCompile(`(?:src|href|action)=["']?(https?:)?//|url\(\s*["']?(?:https?:)?//|@import\s+(?:url\()?["']?(?:https?:)?//|import\(?\s*["'](?:https?:)?//|integrity=`)

// inline finds what the policy would refuse.
var inline = regexp.MustCompile(`<script(?:\s[^>]*)?>[^<]|\son[a-z]+=["']|<base`)

func TestNothingFromOutside(t *testing.T) {
	err := fs.WalkDir(dist, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		switch ext := path.Ext(name); {
		case ext == ".html":
			if found := inline.Find(body); found != nil {
				t.Errorf("%s has an inline script: %s", name, found)
			}
			if links := regexp.MustCompile(`<a [^>]*>`).ReplaceAll(body, nil); loads.Match(links) {
				t.Errorf("%s loads %s", name, loads.Find(links))
			}
		case ext == ".css" || ext == ".js" && !strings.Contains(name, "swagger-ui"):
			if found := loads.Find(body); found != nil {
				t.Errorf("%s loads %s", name, found)
			}
		}
		if bytes.Contains(body, []byte("sourceMappingURL")) && !strings.Contains(name, "swagger-ui-bundle") {
			t.Errorf("%s points to a source map", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The first load of the largest page, in one language. What is known of one
// person and the attendance record come when they are asked for.
func TestFirstLoad(t *testing.T) {
	const limit = 56_000 // which is 60 kB with all headers: BenchmarkDesk
	total := 0
	for _, name := range assets(t) {
		base := path.Base(name)
		if strings.HasPrefix(base, "swagger-ui") || strings.HasPrefix(base, "docs") || strings.HasPrefix(base, "rooms") ||
			strings.HasPrefix(base, "others") || strings.HasPrefix(base, "text.en") || strings.HasPrefix(base, "person") || strings.HasPrefix(base, "record") {
			continue
		}
		body, err := dist.ReadFile("dist" + name)
		if err != nil {
			t.Fatal(err)
		}
		total += len(pack(body))
	}
	if total == 0 || total > limit {
		t.Errorf("an instructor's page loads %d bytes, at most %d", total, limit)
	}
}

// Every asset's name holds its content's hash, and every page's assets exist.
func TestAssets(t *testing.T) {
	hashed := regexp.MustCompile(`^/assets/[\w.-]+-[A-Z2-7]{8}\.(?:js|css|svg)$`)
	h := siteWith(t, Config{})
	for _, name := range assets(t) {
		if !hashed.MatchString(name) {
			t.Errorf("%s has no hash", name)
		}
		if kind := get(h, "GET", name, nil).Header.Get("Content-Type"); kind == "" || strings.HasPrefix(kind, "text/plain") {
			t.Errorf("%s is served as %q", name, kind)
		}
	}
	for _, target := range []string{"/", "/docs", "/docs/explore", "/docs/socket"} {
		for _, found := range regexp.MustCompile(`"(/assets/[^"]+)"`).FindAllStringSubmatch(read(t, get(h, "GET", target, nil)), -1) {
			if r := get(h, "GET", found[1], nil); r.StatusCode != 200 {
				t.Errorf("%s wants %s, which is not there", target, found[1])
			}
		}
	}
}

func assets(t *testing.T) []string {
	t.Helper()
	entries, err := dist.ReadDir("dist/assets")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, "/assets/"+entry.Name())
	}
	return names
}
