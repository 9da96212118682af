package hub

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lectern-room/lectern/room/roomtest"
)

func TestHostsAndOrigins(t *testing.T) {
	embedded, err := NewAllowlist(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	public, err := NewAllowlist(
		[]string{"Lectern.example.org", "10.0.0.5:8080", "[2001:DB8::0:5]:443"},
		[]string{"https://Lectern.example.org", "http://dev.example.org:3000", "https://[2001:DB8::0:5]:443"})
	if err != nil {
		t.Fatal(err)
	}
	const none = "(none)"
	rows := []struct {
		list   *Allowlist
		host   string
		origin string
		want   error
	}{
		// Embedded: this machine's own names, any port.
		{embedded, "localhost:8080", none, nil},
		{embedded, "localhost", none, nil},
		{embedded, "LocalHost:8080", none, nil},
		{embedded, "127.0.0.1:8080", none, nil},
		{embedded, "127.0.0.1:1", none, nil},
		{embedded, "[::1]:8080", none, nil},
		{embedded, "[::1]", none, nil},
		{embedded, "[0:0:0:0:0:0:0:1]:8080", none, nil},
		{embedded, "localhost:8080", "http://localhost:8080", nil},
		{embedded, "127.0.0.1:8080", "http://localhost:3000", nil},
		{embedded, "localhost:8080", "http://localhost", nil},
		{embedded, "localhost:8080", "https://localhost", nil},
		{embedded, "localhost:8080", "https://127.0.0.1:8443", nil},
		{embedded, "[::1]:8080", "http://[::1]:8080", nil},

		// Names that are made to resolve to this machine.
		{embedded, "evil.example:8080", none, errHost},
		{embedded, "evil.example:8080", "http://evil.example:8080", errHost},
		{embedded, "evil.example", "http://localhost:8080", errHost},
		{embedded, "localhost.evil.example:8080", none, errHost},
		{embedded, "evil-localhost:8080", none, errHost},
		{embedded, "sub.localhost:8080", none, errHost},
		{embedded, "127.0.0.1.nip.io:8080", none, errHost},
		{embedded, "0.0.0.0:8080", none, errHost},
		{embedded, "127.0.0.2:8080", none, errHost},
		{embedded, "127.1:8080", none, errHost},
		{embedded, "2130706433:8080", none, errHost},
		{embedded, "0x7f000001:8080", none, errHost},
		{embedded, "192.168.1.7:8080", none, errHost},
		{embedded, "[::]:8080", none, errHost},
		{embedded, "[::ffff:127.0.0.1]:8080", none, errHost},
		{embedded, "[fe80::1%25eth0]:8080", none, errHost},
		{embedded, "::1:8080", none, errHost},
		{embedded, "[::1", none, errHost},
		{embedded, "[localhost]:8080", none, errHost},
		{embedded, "[127.0.0.1]:8080", none, errHost},
		{embedded, "localhost.:8080", none, errHost},
		{embedded, ".localhost:8080", none, errHost},
		{embedded, "localhost:", none, errHost},
		{embedded, "localhost:0", none, errHost},
		{embedded, "localhost:08080", none, errHost},
		{embedded, "localhost:+80", none, errHost},
		{embedded, "localhost:65536", none, errHost},
		{embedded, "localhost:http", none, errHost},
		{embedded, "localhost:80:80", none, errHost},
		{embedded, "user@localhost:8080", none, errHost},
		{embedded, "localhost/x:8080", none, errHost},
		{embedded, "localhost,evil.example", none, errHost},
		{embedded, "localhost evil.example", none, errHost},
		{embedded, "lоcalhost:8080", none, errHost}, // a Cyrillic o
		{embedded, "", none, errHost},

		// Pages of other sites.
		{embedded, "localhost:8080", "http://evil.example", errOrigin},
		{embedded, "localhost:8080", "https://evil.example:8080", errOrigin},
		{embedded, "localhost:8080", "null", errOrigin},
		{embedded, "localhost:8080", "", errOrigin},
		{embedded, "localhost:8080", "localhost:8080", errOrigin},
		{embedded, "localhost:8080", "//localhost:8080", errOrigin},
		{embedded, "localhost:8080", "file://localhost", errOrigin},
		{embedded, "localhost:8080", "file://", errOrigin},
		{embedded, "localhost:8080", "ws://localhost:8080", errOrigin},
		{embedded, "localhost:8080", "chrome-extension://localhost", errOrigin},
		{embedded, "localhost:8080", "HTTP://localhost:8080", errOrigin},
		{embedded, "localhost:8080", "http://LOCALHOST:8080", errOrigin},
		{embedded, "localhost:8080", "http://localhost.:8080", errOrigin},
		{embedded, "localhost:8080", "http://localhost:8080/", errOrigin},
		{embedded, "localhost:8080", "http://localhost:8080?x", errOrigin},
		{embedded, "localhost:8080", "http://localhost@evil.example", errOrigin},
		{embedded, "localhost:8080", "http://evil.example@localhost", errOrigin},
		{embedded, "localhost:8080", "http://localhost.evil.example", errOrigin},
		{embedded, "localhost:8080", "http://localhost:8080 http://evil.example", errOrigin},
		{embedded, "localhost:8080", "http://localhost:", errOrigin},
		{embedded, "localhost:8080", "http://localhost:99999", errOrigin},
		{embedded, "localhost:8080", "http://[::1", errOrigin},
		{embedded, "localhost:8080", " http://localhost:8080", errOrigin},

		// Named ones.
		{public, "lectern.example.org", none, nil},
		{public, "lectern.example.org:443", none, nil},
		{public, "LECTERN.example.org:8080", none, nil},
		{public, "10.0.0.5:8080", none, nil},
		{public, "[2001:db8::5]", none, nil},
		{public, "[2001:db8:0:0::5]:443", none, nil},
		{public, "10.0.0.5", none, errHost},
		{public, "10.0.0.5:8081", none, errHost},
		{public, "[2001:db8::5]:80", none, errHost},
		{public, "localhost:8080", none, errHost},
		{public, "example.org", none, errHost},
		{public, "a.lectern.example.org", none, errHost},
		{public, "lectern.example.org.", none, errHost},
		{public, "lectern.example.org.evil.example", none, errHost},
		{public, "lectern.example.org", "https://lectern.example.org", nil},
		{public, "lectern.example.org", "http://dev.example.org:3000", nil},
		{public, "lectern.example.org", "https://[2001:db8::5]", nil},
		{public, "lectern.example.org", "http://lectern.example.org", errOrigin},
		{public, "lectern.example.org", "https://lectern.example.org:443", errOrigin},
		{public, "lectern.example.org", "https://lectern.example.org:8443", errOrigin},
		{public, "lectern.example.org", "https://Lectern.example.org", errOrigin},
		{public, "lectern.example.org", "http://dev.example.org", errOrigin},
		{public, "lectern.example.org", "https://dev.example.org:3000", errOrigin},
		{public, "lectern.example.org", "http://localhost:8080", errOrigin},
		{public, "evil.example", "https://lectern.example.org", errHost},
	}
	for _, test := range rows {
		r := httptest.NewRequest("GET", "/v1/me", nil)
		r.Host = test.host
		if test.origin != none {
			r.Header["Origin"] = []string{test.origin}
		}
		if err := test.list.check(r); err != test.want {
			t.Errorf("host %q, origin %q: %v, want %v", test.host, test.origin, err, test.want)
		}
	}

	twice := httptest.NewRequest("GET", "/v1/me", nil)
	twice.Host = "localhost"
	twice.Header = http.Header{"Origin": {"http://localhost", "http://localhost"}}
	if err := embedded.check(twice); err != errOrigin {
		t.Errorf("two origins: %v", err)
	}
	if len(rows) < 60 {
		t.Errorf("%d rows are too few", len(rows))
	}
	if !t.Failed() {
		roomtest.Proved(t, "%d hosts and origins and one request with two: each had its exact verdict", len(rows))
	}
}

func TestAllowlistSettings(t *testing.T) {
	for _, host := range []string{"", "*", "*.example.org", "https://example.org", "example.org/", "example.org:", "example.org:x", "a b", "::1", "[::1]x", "[x]", "한.example"} {
		if _, err := NewAllowlist([]string{host}, nil); err == nil || !strings.Contains(err.Error(), "host[:port]") {
			t.Errorf("host %q: %v", host, err)
		}
	}
	for _, origin := range []string{"", "*", "null", "example.org", "ftp://example.org", "https://", "https://*.example.org", "https://example.org/", "https://example.org/x", "https://u@example.org", "https://example.org?x", "https://example.org#x", "https://example.org:0", "https://exa mple.org", "://"} {
		if _, err := NewAllowlist(nil, []string{origin}); err == nil || !strings.Contains(err.Error(), "scheme://host[:port]") {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
	none, err := NewAllowlist([]string{}, []string{})
	if err != nil {
		t.Fatal(err)
	}
	if none.allowsHost("localhost") || none.allowsOrigin("http://localhost") {
		t.Error("an empty list allows loopback names")
	}
}
