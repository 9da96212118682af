package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lectern-room/lectern/room"
)

func (a *api) addPassportCalls() {
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "getMe", Method: http.MethodGet, Path: "/v1/me", Tags: []string{"passports"},
			Summary:     "Who the caller is",
			Description: "What the passport says, and the caller's places in rooms that are not closed. A browser whose socket was refused asks here why.",
		},
	}, a.me)
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "signInGuest", Method: http.MethodPost, Path: "/v1/guest", Tags: []string{"passports"},
			Summary: "Sign in as a guest",
			Description: "Sets the cookie `" + guestCookie + "`, with which a student without a passport can join rooms that let guests in. " +
				"With a guest's cookie it is the same person again, renamed. Refused (`forbidden`, field `guests`) where there are no guests.",
		},
		Public: true, Body: guestBody{}, Codes: []room.Code{room.CodeRateLimited},
	}, a.signInGuest)
}

type meAnswer struct {
	User      room.UserID   `json:"user"`
	Name      string        `json:"name"`
	Role      room.Role     `json:"role" enum:"instructor,student"`
	ExpiresAt string        `json:"expires_at" format:"date-time" doc:"When the passport does."`
	Now       string        `json:"now" format:"date-time"`
	Places    []placeObject `json:"places"`
}

type placeObject struct {
	Room     room.ID    `json:"room_id"`
	State    room.State `json:"state" enum:"seated,waiting,pending"`
	Seat     *int       `json:"seat"`
	Position *int       `json:"position" doc:"In the line of those who wait, from 1; null for others."`
}

func (a *api) me(c *call) (int, meAnswer, error) {
	var places []room.Place
	var err error
	// A browser whose socket was refused wants to know whether its passport was,
	// and a whole hall's may be, at once.
	if c.r.Method != http.MethodHead {
		places, err = archived(a, c, "read places", func(ctx context.Context) ([]room.Place, error) {
			return a.Archive.Places(ctx, c.passport.User)
		})
	}
	p := c.passport
	me := meAnswer{
		User: p.User, Name: p.Name, Role: p.Role, ExpiresAt: room.Stamp(p.ExpiresAt), Now: room.Stamp(a.Registrar.Now()), Places: []placeObject{},
	}
	for _, place := range places {
		me.Places = append(me.Places, placeObject{place.Room, place.State, orNull(place.Seat), orNull(place.Position)})
	}
	return http.StatusOK, me, err
}

// orNull is nil for a number that counts from 1 and is 0.
func orNull(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// guestFor is how long a guest's passport lasts: a day of lectures.
const guestFor = 12 * time.Hour

type guestAnswer struct {
	User      room.UserID `json:"user"`
	Name      string      `json:"name"`
	ExpiresAt string      `json:"expires_at" format:"date-time"`
}

func (a *api) signInGuest(c *call) (status int, guest guestAnswer, err error) {
	if !a.Guests {
		return 0, guest, errNoGuests
	}
	if err := room.CheckText("name", c.Name, 80); err != nil {
		return 0, guest, err
	}
	p := room.Passport{
		Caller:    room.Caller{Name: c.Name, Role: room.Student},
		ExpiresAt: a.Registrar.Now().Add(guestFor).Truncate(time.Second),
	}
	if p.User, err = a.guest(c.r); err != nil {
		return 0, guest, err
	}
	token, err := a.Keys.Seal(p, false)
	if err != nil {
		return 0, guest, fmt.Errorf("seal a guest's passport: %w", err)
	}
	http.SetCookie(c.w, &http.Cookie{
		Name: guestCookie, Value: token, Path: "/", MaxAge: int(guestFor / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.Proxies.secure(c.r) || strings.HasPrefix(strings.ToLower(a.PublicURL), "https:"),
	})
	return http.StatusOK, guestAnswer{p.User, p.Name, room.Stamp(p.ExpiresAt)}, nil
}

var errNoGuests = &room.Refusal{Code: room.CodeForbidden, Field: "guests", Message: "there is no guest sign-in here"}

// guest returns the guest whose cookie came with the request, else a new one.
func (a *api) guest(r *http.Request) (room.UserID, error) {
	var cookie finding
	cookie.in(cookies(r, false))
	token, err := cookie.first()
	if errors.Is(err, errTwoPassports) {
		return "", err
	}
	if p, err := a.Keys.Parse(token, a.Registrar.Now()); err == nil && p.Guest() {
		return p.User, nil
	}
	return room.NewGuest(), nil
}
