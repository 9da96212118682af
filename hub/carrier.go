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
// that counts is empty.
func carry(r *http.Request, socket bool) (carried, error) {
	users, err := userPassports(r, socket)
	if err != nil {
		return carried{}, err
	}
	rooms := [][]string{r.Header.Values("X-Room-ID")}
	if socket {
		rooms = append(rooms, subprotocols(r, "room."))
	}
	var found carried
	if found.user, err = first(users); err == nil {
		found.room, err = first(rooms)
	}
	return found, err
}

// userPassports returns the values of each carrier, in order.
func userPassports(r *http.Request, socket bool) ([][]string, error) {
	carriers := [][]string{r.Header.Values("X-User-ID")}
	authorization := r.Header.Values("Authorization")
	if len(authorization) > 1 {
		return nil, errTwoPassports
	}
	for _, value := range authorization {
		scheme, token, _ := strings.Cut(value, " ")
		if strings.EqualFold(scheme, "Bearer") {
			carriers = append(carriers, []string{strings.Trim(token, " ")})
		}
	}
	if socket {
		carriers = append(carriers, subprotocols(r, "passport."))
	}
	return append(carriers, cookies(r, socket)), nil
}

var errTwoPassports = room.BadField("passport", "one value of each header, cookie and subprotocol")

// first returns the value of the first carrier that has one.
func first(carriers [][]string) (token string, err error) {
	for i := len(carriers) - 1; i >= 0; i-- {
		switch values := carriers[i]; len(values) {
		case 0:
		case 1:
			token = values[0]
			err = nil
			if token == "" {
				err = &room.BadPassport{Reason: "empty", Detail: "it is empty"}
			}
		default:
			return "", errTwoPassports
		}
	}
	return token, err
}

// subprotocols returns what follows the prefix in the subprotocols that a
// socket offers.
func subprotocols(r *http.Request, prefix string) (tokens []string) {
	for _, list := range r.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(list, ",") {
			if token, found := strings.CutPrefix(strings.Trim(name, " \t"), prefix); found {
				tokens = append(tokens, token)
			}
		}
	}
	return tokens
}

// cookies returns the guest cookie where it can be told that a page of ours
// sent it. Browsers send cookies whoever asks, but they name who asks: in
// Origin, which any request that changes something and any socket has, or in
// Sec-Fetch-Site.
func cookies(r *http.Request, socket bool) (tokens []string) {
	ours := len(r.Header.Values("Origin")) > 0
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
