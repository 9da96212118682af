package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/lectern-room/lectern/room"
)

// TestDocumentsInTheBrowser: every document fits a telephone, and asks nobody
// but its own server for anything.
func TestDocumentsInTheBrowser(t *testing.T) {
	i := startInstance(t)
	w := startChromium(t).window()
	pages, err := filepath.Glob("../../web/dist/docs/*.html")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	w.do(chromedp.EmulateViewport(390, 844))
	for _, page := range pages {
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(page), ".html"), "index")
		w.do(chromedp.Navigate(i.loadTarget.url.String() + "/docs/" + name))
		w.shows(`.docs-nav [aria-current="page"]`)
		if name == "explore" {
			w.shows("#operations-rooms-openRoom")
		}
		if wide := w.evaluate(`document.documentElement.scrollWidth > innerWidth ? "wide" : ""`); wide != "" {
			t.Errorf("/docs/%s is wider than a telephone", name)
		}
	}
	w.stayedAt(i)
}

// TestDocumentedLaunch: a redirect from another site signs in with the
// fragment of its address, as the page "Integrate" says.
func TestDocumentedLaunch(t *testing.T) {
	i := startInstance(t)
	l := i.open("lee", 5)
	w := startChromium(t).window()
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, i.loadTarget.url.String()+"/j/"+l.code+"#passport="+i.pass("kim", room.Student), http.StatusSeeOther)
	}))
	t.Cleanup(platform.Close)

	w.do(chromedp.Navigate(platform.URL))
	w.click("#join-button")
	w.shows(`#seat-number[data-seat="1"]`)
	if at := w.evaluate("location.href"); strings.Contains(at, "passport") {
		t.Errorf("the passport stays in the address: %s", at)
	}
	if entries, _ := l.roster(); len(entries) != 1 || entries[0].User != "kim" {
		t.Errorf("in the roster: %v", entries)
	}
}
