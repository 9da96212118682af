package main

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func (r *reader) address(flag, text string) string {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		r.wrong(flag, text, "host:port, the port from 0 to 65535")
	}
	return text
}

func (r *reader) publicURL(flag, text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		r.wrong(flag, hideUser(text), "http:// or https://, a host and perhaps a port, and nothing else")
	}
	return strings.TrimRight(text, "/")
}

// source reads a file name or an address, which is one if it has a scheme.
func (r *reader) source(flag, text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		r.wrong(flag, hideUser(text), "a file, or an http:// or https:// URL without a user")
	}
	return text
}

// hideUser hides what may be a user and a password in what may be a URL.
func hideUser(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return text
	}
	scheme, _, found := strings.Cut(text[:at], "://")
	if !found || strings.ContainsAny(scheme, ":@") {
		return "…" + text[at:]
	}
	return scheme + "://…" + text[at:]
}

// server reads the address of a server: a flag's, or the environment's, which
// alone may hold a password. Whoever opens it knows what comes after the
// scheme.
func (r *reader) server(e environment, flag, text string, schemes ...string) string {
	name := environmentName(flag)
	if holdsPassword(text) {
		r.wrong(flag, hidePassword(text), "a URL without a password, which others on the machine could read: set "+name+" or "+name+"_FILE")
		return ""
	}
	if text == "" {
		var err error
		if text, err = e.secret(name); err != nil {
			r.errs = append(r.errs, err)
			return ""
		}
		text = strings.TrimSpace(text)
	}
	scheme, _, isURL := strings.Cut(text, "://")
	if text != "" && (!isURL || !slices.Contains(schemes, scheme)) {
		r.wrong(flag, hidePassword(text), "a URL that begins with "+strings.Join(schemes, ":// or ")+"://")
	}
	return text
}

// holdsPassword tells whether there may be a password in what may be a URL:
// before the host, or among the parameters.
func holdsPassword(text string) bool {
	_, after, _ := strings.Cut(text, "://")
	at := strings.LastIndexByte(after, '@')
	return at >= 0 && strings.Contains(after[:at], ":") || strings.Contains(text, "password")
}

// hidePassword leaves of what may be a URL where it leads.
func hidePassword(text string) string {
	text = hideUser(text)
	if !strings.Contains(text, "://") {
		return "…"
	}
	if end := strings.IndexAny(text, "?;&# "); end >= 0 {
		text = text[:end]
	}
	before, _, _ := strings.Cut(text, "password")
	return before
}
