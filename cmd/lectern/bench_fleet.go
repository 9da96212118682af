package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/lectern-room/lectern/room"
)

// A fleet is the servers under load. HTTP calls go to the first.
type fleet struct {
	*loadTarget
	all      []*loadTarget
	children []*child // those of our own
	folder   string   // where theirs is; "": there are none
	postgres string   // the URL, "" if they are not ours or keep their rooms themselves
	redis    string
}

// fleet returns the servers that the flags name, or starts some. Stop is called
// when the load is over.
func (f *loadFlags) fleet(ctx context.Context, p *program, environ []string, on cores) (all *fleet, stop func() error, err error) {
	settings, err := p.settings.check(p.environ)
	if err != nil {
		return nil, nil, err
	}
	if len(f.Server) == 0 {
		return f.ownFleet(ctx, p, settings, environ, on)
	}
	if f.Instances != 1 || len(f.Ops) > 0 && len(f.Ops) != len(f.Server) {
		return nil, nil, errors.New("--instances is for servers of its own, and --ops names one listener for each --server")
	}
	all = &fleet{}
	for i, server := range f.Server {
		address, err := url.Parse(strings.TrimRight(server, "/"))
		if err != nil || address.Scheme != "http" && address.Scheme != "https" || address.Hostname() == "" || address.Path != "" {
			return nil, nil, fmt.Errorf("--server is %q: accepted is http:// or https://, a host and perhaps a port", server)
		}
		target := &loadTarget{url: address, http: &http.Client{Timeout: answerTime}}
		if len(f.Ops) > 0 {
			target.ops = strings.TrimRight(f.Ops[i], "/")
		}
		all.all = append(all.all, target)
	}
	keys, err := room.NewKeyring(settings.keys)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", signingKeys, err)
	}
	for _, target := range all.all {
		target.keys = keys
	}
	all.loadTarget = all.all[0]
	return all, func() error { return nil }, nil
}

// ownFleet starts servers with a key of their own, in a folder that goes when
// stop is called.
func (f *loadFlags) ownFleet(ctx context.Context, p *program, settings *config, environ []string, on cores) (_ *fleet, stop func() error, err error) {
	if f.Instances < 1 || f.Instances > 1 && (settings.embedded() || settings.redis.URL == "") {
		return nil, nil, fmt.Errorf("--instances is %d: accepted is 1, and more with LECTERN_POSTGRES_URL and LECTERN_REDIS_URL in the environment", f.Instances)
	}
	folder, err := os.MkdirTemp("", "lectern-bench-")
	if err != nil {
		return nil, nil, err
	}
	all := &fleet{folder: folder, postgres: settings.postgres.URL, redis: settings.redis.URL}
	stop = func() error {
		var errs []error
		for _, c := range all.children {
			errs = append(errs, c.stop())
		}
		return errors.Join(append(errs, os.RemoveAll(folder))...)
	}
	key := newKey("s")
	keys, err := room.NewKeyring(room.KeyConfig{Signing: []room.Key{key}})
	if err != nil {
		return nil, nil, err
	}
	environ = append(inherited(p.environ), append(environ, signingKeys+"="+key.Reveal())...)
	if !settings.embedded() {
		environ = append(environ, "LECTERN_POSTGRES_URL="+settings.postgres.URL, "LECTERN_REDIS_URL="+settings.redis.URL,
			"LECTERN_POSTGRES_CONNECTIONS="+strconv.Itoa(settings.postgres.Connections), "LECTERN_REDIS_PREFIX="+settings.redis.Prefix)
	}
	for range f.Instances {
		server, err := launchBy(ctx, folder, append(environ, on.environ()...), on.start)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("start a server: %w", err), stop())
		}
		all.children = append(all.children, server)
		all.all = append(all.all, &loadTarget{url: server.url, ops: server.ops, keys: keys, http: &http.Client{Timeout: answerTime}})
	}
	all.loadTarget = all.all[0]
	return all, stop, nil
}

// inherited is the environment but for the settings of a server.
func inherited(e environment) (environ []string) {
	for name, value := range e.values {
		if !strings.HasPrefix(name, "LECTERN_") {
			environ = append(environ, name+"="+value)
		}
	}
	return environ
}
