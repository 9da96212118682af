package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/lectern-room/lectern/room"
)

type watchCommand struct {
	Room         string `arg:"" placeholder:"CODE|ROOM" help:"The room's join code, or its id."`
	Server       string `default:"http://127.0.0.1:8080" placeholder:"URL" help:"Where the server is; default: http://127.0.0.1:8080."`
	PassportFile string `placeholder:"FILE" help:"The instructor's passport; default: the variable LECTERN_PASSPORT."`
	User         string `placeholder:"ID" help:"Without a passport: the room's instructor, for whom one is made with the keys that are configured here."`
	JSON         bool   `name:"json" help:"For programs: what the server says, a frame a line."`
}

// ownPassport is the variable that holds a passport for watch.
const ownPassport = "LECTERN_PASSPORT"

// Run shows a room's roster until the room closes or ctx is done.
func (c *watchCommand) Run(ctx context.Context, p *program) error {
	server, err := readServer(c.Server)
	if err != nil {
		return err
	}
	passport, err := c.passports(ctx, p)
	if err != nil {
		return err
	}
	target := &loadTarget{url: server, http: &http.Client{Timeout: answerTime}}
	id, err := c.find(ctx, target, passport)
	if err != nil {
		return err
	}
	f := &follower{server: server, http: target.http, passport: passport, id: id, roster: newRoster(), show: c.display(p)}
	return f.run(ctx)
}

func readServer(text string) (*url.URL, error) {
	var r reader
	address := r.publicURL("server", text)
	if u, err := url.Parse(address); len(r.errs) == 0 && address != "" {
		return u, err
	}
	return nil, fmt.Errorf("--server is %q: accepted is http:// or https://, a host and perhaps a port, and nothing else", hideUser(text))
}

// display returns what suits whoever reads the output.
func (c *watchCommand) display(p *program) display {
	switch file, ok := p.stdout.(*os.File); {
	case c.JSON:
		return &frames{out: p.stdout, notes: p.stderr}
	case ok && isTerminal(file) && p.environ.values["TERM"] != "dumb":
		return newScreen(file)
	}
	return &lines{out: p.stdout, notes: p.stderr}
}

// passports returns what gets a passport that is as fresh as can be had.
func (c *watchCommand) passports(ctx context.Context, p *program) (func() (string, error), error) {
	if c.PassportFile != "" {
		return func() (string, error) { return readPassport(c.PassportFile) }, nil
	}
	token, err := p.environ.secret(ownPassport)
	if err != nil {
		return nil, err
	}
	if token = strings.TrimSpace(token); token != "" {
		return func() (string, error) { return token, nil }, nil
	}
	if c.User == "" {
		return nil, errors.New("there is no passport: set " + ownPassport + " or --passport-file to the instructor's; or, where the server's keys are, name the instructor with --user")
	}
	settings, err := p.settings.check(p.environ)
	if err != nil {
		return nil, err
	}
	if settings.lacksKeys() {
		return nil, settings.errNoKeysHere()
	}
	keys, err := readKeys(ctx, settings)
	if err != nil {
		return nil, err
	}
	return func() (string, error) {
		return keys.Seal(room.Passport{
			Caller:    room.Caller{User: room.UserID(c.User), Name: c.User, Role: room.Instructor},
			ExpiresAt: time.Now().Add(firstPassport),
		}, settings.keys.EncryptionRequired)
	}, nil
}

func readPassport(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--passport-file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("--passport-file: %s is empty", file)
	}
	return token, nil
}

// find returns the id of the room that the command line names: a code is
// looked for among the instructor's own rooms.
func (c *watchCommand) find(ctx context.Context, target *loadTarget, passport func() (string, error)) (room.ID, error) {
	id, code, err := readRoomName(c.Room)
	if err != nil || code == "" {
		return id, err
	}
	token, err := passport()
	if err != nil {
		return "", err
	}
	for cursor := ""; ; {
		var page struct {
			Items []watchedRoom
			Next  string `json:"next_cursor"`
		}
		err := target.call(ctx, token, http.MethodGet, "/v1/rooms?limit=500&cursor="+cursor, "", &page)
		var away *url.Error
		if errors.As(err, &away) {
			err = unreachable(target.url, away)
		}
		if err != nil {
			return "", err
		}
		for _, r := range page.Items {
			if r.Code == code && r.Status != room.Closed {
				return r.ID, nil
			}
		}
		if cursor = page.Next; cursor == "" {
			return "", fmt.Errorf("no room of yours has the join code %s: closed rooms have none, so name them by their id", code)
		}
	}
}
