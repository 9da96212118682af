package hub

import (
	"net/http"
	"strings"

	"github.com/lectern-room/lectern/room"
)

// guestCookie carries the passport of someone who came by guest sign-in.
const guestCookie = "lectern_passport"

// carried are the passports that came with a request. Empty: there is none.
type carried struct {
	user string
	room string
}

// carry finds the passports of a request whose Host and Origin have been
// allowed. They are looked for in this order, and the first one present
// counts: the headers of a gateway, the bearer header, the subprotocols (for
// browsers, which cannot set a socket's headers) and the cookie. It returns a
// Refusal where one carrier has two values, and a BadPassport where the one
// that counts is empty. Headers are named as net/http spells them: any other
// spelling is put right at each look.
func carry(r *http.Request, socket bool) (carried, error) {
	var user, invite finding
	user.in(r.Header["X-User-Id"])
	invite.in(r.Header["X-Room-Id"])
	authorization := r.Header["Authorization"]
	for _, value := range authorization {
		scheme, token, _ := strings.Cut(value, " ")
		if strings.EqualFold(scheme, "Bearer") {
			user.in([]string{strings.Trim(token, " ")})
		}
	}
	user.twice = user.twice || len(authorization) > 1
	if socket {
		passports, invitations := subprotocols(r)
		user.in(passports)
		invite.in(invitations)
	}
	user.in(cookies(r, socket))
	var found carried
	var err error
	if found.user, err = user.first(); err == nil {
		found.room, err = invite.first()
	}
	return found, err
}

var errTwoPassports = room.BadField("passport", "one value of each header, cookie and subprotocol")

// A finding is what the carriers have that have been looked into.
type finding struct {
	token string
	found bool
	twice bool // one of them has two values
}

// in looks at the values of the next carrier.
func (f *finding) in(values []string) {
	f.twice = f.twice || len(values) > 1
	if !f.found && len(values) > 0 {
		f.token, f.found = values[0], true
	}
}

// first returns the value of the first carrier that has one.
func (f *finding) first() (token string, err error) {
	switch {
	case f.twice:
		return "", errTwoPassports
	case f.found && f.token == "":
		return "", &room.BadPassport{Reason: "empty", Detail: "it is empty"}
	}
	return f.token, nil
}

// subprotocols returns the passports and the room passports in the
// subprotocols that a socket offers.
func subprotocols(r *http.Request) (passports, invitations []string) {
	for _, list := range r.Header["Sec-Websocket-Protocol"] {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.Trim(name, " \t")
			if token, found := strings.CutPrefix(name, "passport."); found {
				passports = append(passports, token)
			} else if token, found := strings.CutPrefix(name, "room."); found {
				invitations = append(invitations, token)
			}
		}
	}
	return passports, invitations
}

// cookies returns the guest cookie where it can be told that a page of ours
// sent it. Browsers send cookies whoever asks, but they name who asks: in
// Origin, which any request that changes something and any socket has, or in
// Sec-Fetch-Site.
func cookies(r *http.Request, socket bool) (tokens []string) {
	ours := len(r.Header["Origin"]) > 0
	if !socket && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		ours = ours || r.Header.Get("Sec-Fetch-Site") == "same-origin"
	}
	if !ours {
		return nil
	}
	for _, cookie := range r.CookiesNamed(guestCookie) {
		tokens = append(tokens, cookie.Value)
	}
	return tokens
}
