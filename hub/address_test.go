package hub

import (
	"crypto/tls"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestClientAddress(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8", "192.0.2.7", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		remote    string
		forwarded []string
		want      string
	}{
		"direct":                {"203.0.113.9:1234", nil, "203.0.113.9"},
		"direct, IPv6":          {"[2001:db8::9]:1234", nil, "2001:db8::9"},
		"direct, zone":          {"[fe80::9%eth0]:1234", nil, "fe80::9"},
		"direct, mapped":        {"[::ffff:203.0.113.9]:1234", nil, "203.0.113.9"},
		"pipe":                  {"pipe", nil, "invalid IP"},
		"direct, and lies":      {"203.0.113.9:1234", []string{"1.1.1.1"}, "203.0.113.9"},
		"proxy":                 {"10.1.2.3:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		"proxy, address":        {"192.0.2.7:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		"neighbour of a proxy":  {"192.0.2.8:1234", []string{"203.0.113.9"}, "192.0.2.8"},
		"proxy, mapped":         {"[::ffff:10.1.2.3]:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		"proxy, IPv6":           {"[fd00::1]:1234", []string{"2001:db8::9"}, "2001:db8::9"},
		"proxy, lies before it": {"10.1.2.3:1234", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},
		"two proxies":           {"10.1.2.3:1234", []string{"1.1.1.1, 203.0.113.9, 10.9.9.9"}, "203.0.113.9"},
		"two headers":           {"10.1.2.3:1234", []string{"1.1.1.1, 203.0.113.9", "10.9.9.9"}, "203.0.113.9"},
		"with ports":            {"10.1.2.3:1234", []string{"203.0.113.9:5678"}, "203.0.113.9"},
		"IPv6 with a port":      {"10.1.2.3:1234", []string{"[2001:db8::9]:5678"}, "2001:db8::9"},
		"IPv6 in brackets":      {"10.1.2.3:1234", []string{"[2001:db8::9]"}, "2001:db8::9"},
		"only proxies":          {"10.1.2.3:1234", []string{"10.0.0.1,10.0.0.2"}, "10.0.0.1"},
		"proxy says nothing":    {"10.1.2.3:1234", nil, "10.1.2.3"},
		"proxy says rubbish":    {"10.1.2.3:1234", []string{"203.0.113.9, unknown"}, "10.1.2.3"},
		"rubbish before it":     {"10.1.2.3:1234", []string{"unknown, 10.9.9.9"}, "10.9.9.9"},
		"proxy says empty":      {"10.1.2.3:1234", []string{""}, "10.1.2.3"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = test.remote
			r.Header["X-Forwarded-For"] = test.forwarded
			if got := proxies.client(r).String(); got != test.want {
				t.Errorf("client %s, want %s", got, test.want)
			}
		})
	}
}

func TestSecure(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		remote string
		proto  []string
		tls    bool
		want   bool
	}{
		"direct":          {"203.0.113.9:1", nil, false, false},
		"TLS":             {"203.0.113.9:1", nil, true, true},
		"direct, lies":    {"203.0.113.9:1", []string{"https"}, false, false},
		"proxy":           {"10.1.2.3:1", []string{"https"}, false, true},
		"proxy, case":     {"10.1.2.3:1", []string{"HTTPS"}, false, true},
		"proxy, http":     {"10.1.2.3:1", []string{"http"}, false, false},
		"lies before it":  {"10.1.2.3:1", []string{"https, http"}, false, false},
		"lies in another": {"10.1.2.3:1", []string{"https", "http"}, false, false},
		"nothing":         {"10.1.2.3:1", []string{""}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = test.remote
			r.Header["X-Forwarded-Proto"] = test.proto
			if test.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if got := proxies.secure(r); got != test.want {
				t.Errorf("secure: %v", got)
			}
		})
	}
}

func TestSubscriber(t *testing.T) {
	for address, want := range map[string]string{
		"203.0.113.9":       "203.0.113.9",
		"2001:db8:1:2::9":   "2001:db8:1:2::",
		"2001:db8:1:2:3::9": "2001:db8:1:2::",
	} {
		if got := subscriber(netip.MustParseAddr(address)).String(); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if subscriber(netip.Addr{}).IsValid() {
		t.Error("no address became one")
	}
}

func TestParseProxies(t *testing.T) {
	for _, text := range []string{"", "10.0.0.0/33", "10.0.0.0/", "example.org", "fe80::1%eth0", "10.0.0.0/8,10.1.0.0/16"} {
		if _, err := ParseProxies([]string{text}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
