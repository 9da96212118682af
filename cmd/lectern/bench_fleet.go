package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/lectern-room/lectern/room"
)

// A fleet is the servers under load. HTTP calls go to the first.
type fleet struct {
	*loadTarget
	all      []*loadTarget
	children []*child // those of our own
	recipe   *recipe  // of them
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
	all.recipe = &recipe{folder: folder, environ: append(environ, on.environ()...), start: on.start, keys: keys}
	for range f.Instances {
		server, target, err := all.recipe.server(ctx)
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		all.children, all.all = append(all.children, server), append(all.all, target)
	}
	all.loadTarget = all.all[0]
	return all, stop, nil
}

// A recipe is how servers of our own are started.
type recipe struct {
	folder  string
	environ []string
	start   func(*exec.Cmd) error
	keys    *room.Keyring
}

// server starts one more.
func (r *recipe) server(ctx context.Context) (*child, *loadTarget, error) {
	server, err := launchBy(ctx, r.folder, r.environ, r.start)
	if err != nil {
		return nil, nil, fmt.Errorf("start a server: %w", err)
	}
	return server, &loadTarget{url: server.url, ops: server.ops, keys: r.keys, http: &http.Client{Timeout: answerTime}}, nil
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
