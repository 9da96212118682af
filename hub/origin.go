package hub

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lectern-room/lectern/room"
)

// An Allowlist says by which names the server may be called and which sites'
// pages may call it. Without it, a page of anywhere whose name is made to
// resolve to this machine (DNS rebinding) could. It is static.
type Allowlist struct {
	hosts   []endpoint // a port of "" stands for any port
	origins []string
	// anyPort holds origins without a port that stand for any port.
	anyPort []string
}

// An endpoint is a host in lower case, in brackets if it is an IPv6 address,
// and a port, "" if there is none.
type endpoint struct{ host, port string }

// loopbackNames are the names of this machine to itself.
var loopbackNames = [...]string{"localhost", "127.0.0.1", "[::1]"}

// NewAllowlist makes an allowlist of hosts ("host[:port]"; without a port any
// port is allowed) and origins ("scheme://host[:port]", exactly). Where one
// of the two is nil, loopback names with any port are allowed. Its errors name
// the setting that is wrong and say what is accepted.
func NewAllowlist(hosts, origins []string) (*Allowlist, error) {
	a := &Allowlist{}
	var wrong []error
	if hosts == nil {
		hosts = loopbackNames[:]
	}
	for _, text := range hosts {
		host, err := parseEndpoint(strings.ToLower(text))
		if err != nil {
			wrong = append(wrong, fmt.Errorf("LECTERN_HOSTS: host %q is not host[:port]: %w", text, err))
		}
		a.hosts = append(a.hosts, host)
	}
	if origins == nil {
		for _, name := range loopbackNames {
			a.anyPort = append(a.anyPort, "http://"+name, "https://"+name)
		}
	}
	for _, text := range origins {
		origin, err := parseOrigin(text)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("LECTERN_ORIGINS: origin %q is not scheme://host[:port]: %w", text, err))
		}
		a.origins = append(a.origins, origin)
	}
	return a, errors.Join(wrong...)
}

// parseEndpoint reads host[:port], the host in lower case.
func parseEndpoint(text string) (endpoint, error) {
	if strings.Contains(text, "://") {
		return endpoint{}, errors.New("a host has no scheme")
	}
	e := endpoint{host: text}
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, ']') {
		e = endpoint{text[:i], text[i+1:]}
		n, err := strconv.ParseUint(e.port, 10, 16)
		if err != nil || n == 0 || e.port[0] == '0' {
			return endpoint{}, errors.New("the port is not one of 1 to 65535")
		}
	}
	if inner, isIP := strings.CutPrefix(e.host, "["); isIP {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !ip.Is6() || ip.Zone() != "" || !strings.HasSuffix(inner, "]") {
			return endpoint{}, errors.New("it is not an IPv6 address in brackets")
		}
		e.host = "[" + ip.String() + "]"
		return e, nil
	}
	for label := range strings.SplitSeq(e.host, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return endpoint{}, errors.New("the host is not a name of letters, digits, dots and hyphens")
		}
	}
	return e, nil
}

// parseOrigin returns an origin as browsers send it: in lower case and
// without the scheme's own port.
func parseOrigin(text string) (string, error) {
	u, err := url.Parse(strings.ToLower(text))
	if err != nil {
		return "", errors.New("it is not a URL")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", errors.New("the scheme is not http or https")
	}
	if !strings.EqualFold(text, u.Scheme+"://"+u.Host) {
		return "", errors.New("there is more than a scheme, a host and a port")
	}
	e, err := parseEndpoint(u.Host)
	if err != nil {
		return "", err
	}
	if e.port == "" || u.Scheme == "http" && e.port == "80" || u.Scheme == "https" && e.port == "443" {
		return u.Scheme + "://" + e.host, nil
	}
	return u.Scheme + "://" + e.host + ":" + e.port, nil
}

var (
	errHost   = &room.Refusal{Code: room.CodeForbidden, Field: "host", Message: "this server may not be called by this name: see LECTERN_HOSTS"}
	errOrigin = &room.Refusal{Code: room.CodeForbidden, Field: "origin", Message: "pages of this site may not call this server: see LECTERN_ORIGINS"}
)

// check refuses a request under a name, or from a site, that is not allowed.
// A request without an Origin is not from a page, or not from one of another
// site; where that matters, see cookies.
func (a *Allowlist) check(r *http.Request) error {
	if !a.allowsHost(r.Host) {
		return errHost
	}
	for i, origin := range r.Header["Origin"] {
		if i > 0 || !a.allowsOrigin(origin) {
			return errOrigin
		}
	}
	return nil
}

// Allows tells whether pages at an address may be asked for here, and may call.
// The error is that of who may not.
func (a *Allowlist) Allows(address *url.URL) error {
	origin, err := parseOrigin(address.Scheme + "://" + address.Host)
	if err != nil {
		return err
	}
	return a.check(&http.Request{Host: address.Host, Header: http.Header{"Origin": {origin}}})
}

func (a *Allowlist) allowsHost(host string) bool {
	asked, err := parseEndpoint(strings.ToLower(host))
	if err != nil {
		return false
	}
	return slices.ContainsFunc(a.hosts, func(allowed endpoint) bool {
		// Browsers leave a scheme's own port out.
		own := asked.port == "" && (allowed.port == "80" || allowed.port == "443")
		return asked.host == allowed.host && (allowed.port == "" || allowed.port == asked.port || own)
	})
}

// allowsOrigin compares as strings: browsers send origins in one spelling.
func (a *Allowlist) allowsOrigin(origin string) bool {
	if slices.Contains(a.origins, origin) {
		return true
	}
	scheme, host, _ := strings.Cut(origin, "://")
	e, err := parseEndpoint(host)
	return err == nil && slices.Contains(a.anyPort, scheme+"://"+e.host)
}
