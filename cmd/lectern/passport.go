package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lectern-room/lectern/room"
)

type passportCommand struct {
	User    string        `placeholder:"ID" help:"Whose passport: 1 to 128 bytes, unique per person."`
	Name    string        `placeholder:"NAME" help:"The name that is shown; default: the user."`
	Role    string        `default:"student" help:"instructor or student."`
	TTL     time.Duration `name:"ttl" default:"8h" help:"How long it is valid."`
	Encrypt bool          `help:"Encrypt it, so that nobody on the way can read it."`
	Verify  bool          `help:"Read a passport from the standard input and say what is wrong with it."`
	JSON    bool          `name:"json" help:"For programs."`
}

// Run prints a passport, or reads one.
func (c *passportCommand) Run(ctx context.Context, p *program) error {
	settings, err := p.settings.check(p.environ)
	if err != nil {
		return err
	}
	if settings.lacksKeys() {
		switch {
		case !c.Verify:
			fmt.Fprintf(p.stderr, "New keys are made in %s: a server takes the passport if its LECTERN_DATA is the same.\n", settings.data)
		case settings.jwks == "":
			return settings.errNoKeysHere()
		}
	}
	if c.Verify {
		ring, err := readKeys(ctx, settings)
		if err != nil {
			return err
		}
		return c.verify(p, ring)
	}
	ring, err := openKeys(ctx, settings)
	if err != nil {
		return err
	}
	return c.seal(p, ring)
}

func (c *passportCommand) seal(p *program, ring *room.Keyring) error {
	if c.User == "" {
		return errors.New("--user is missing: accepted are 1 to 128 bytes of printable UTF-8")
	}
	if c.TTL < time.Second {
		return fmt.Errorf("--ttl is %s: accepted is a second or more", c.TTL)
	}
	passport := room.Passport{
		Caller:    room.Caller{User: room.UserID(c.User), Name: c.Name, Role: room.Role(c.Role)},
		ExpiresAt: time.Now().Add(c.TTL).UTC().Truncate(time.Second),
	}
	if passport.Name == "" {
		passport.Name = c.User
	}
	token, err := ring.Seal(passport, c.Encrypt)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(map[string]any{"passport": token, "expires_at": passport.ExpiresAt})
	}
	_, err = fmt.Fprintln(p.stdout, token)
	return err
}

// A finding is what can be said about a passport.
type finding struct {
	Valid     bool      `json:"valid"`
	Kind      string    `json:"kind,omitempty"` // user or room
	User      string    `json:"user,omitempty"`
	Name      string    `json:"name,omitempty"`
	Role      string    `json:"role,omitempty"`
	Room      string    `json:"room_id,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Reason    string    `json:"reason,omitempty"`
	Detail    string    `json:"detail,omitempty"`
}

// maxPassport is well above what a passport may have, so that one that is too
// long is told so.
const maxPassport = 64 << 10

func (c *passportCommand) verify(p *program, ring *room.Keyring) error {
	data, err := io.ReadAll(io.LimitReader(p.stdin, maxPassport))
	if err != nil {
		return fmt.Errorf("read the passport: %w", err)
	}
	found, err := find(ring, strings.TrimSpace(string(data)), time.Now())
	if c.JSON {
		return errors.Join(json.NewEncoder(p.stdout).Encode(found), err)
	}
	if err != nil {
		return err
	}
	who := fmt.Sprintf("%s %q, shown as %q", found.Role, found.User, found.Name)
	if found.Kind == "room" {
		who = "whoever holds it, to room " + found.Room
	}
	_, err = fmt.Fprintf(p.stdout, "a valid passport for %s, until %s\n", who, found.ExpiresAt.Format(time.RFC3339))
	return err
}

// find reads a passport of either kind. Its error is a room.BadPassport.
func find(ring *room.Keyring, token string, now time.Time) (finding, error) {
	user, err := ring.Parse(token, now)
	if err == nil {
		return finding{
			Valid: true, Kind: "user", User: string(user.User), Name: user.Name, Role: string(user.Role), ExpiresAt: user.ExpiresAt,
		}, nil
	}
	invitation, roomErr := ring.ParseInvitation(token, now)
	if roomErr == nil {
		return finding{Valid: true, Kind: "room", Room: string(invitation.Room), ExpiresAt: invitation.ExpiresAt}, nil
	}
	var bad, badRoom *room.BadPassport
	if errors.As(roomErr, &badRoom) && badRoom.Reason != "audience" {
		err = roomErr // it is a room's, but not a good one
	}
	if !errors.As(err, &bad) {
		return finding{}, err
	}
	return finding{Reason: bad.Reason, Detail: bad.Detail}, err
}
