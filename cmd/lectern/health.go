package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// healthTakesAtMost is more than an instance may take to look at its store,
// and less than what containers give a health check.
const healthTakesAtMost = 3 * time.Second

// A healthCommand is for where nothing else is there that could ask, such as a
// container of this program alone.
type healthCommand struct {
	Ready bool `help:"Ask whether it may be given people (/readyz), not only whether it lives (/healthz)."`
}

// Help says more than the list of commands does.
func (healthCommand) Help() string {
	return `Asks at $LECTERN_OPS_LISTEN, or at $LECTERN_LISTEN where that is empty, and prints the answer. It ends with status 1 if nobody answers, or the answer is no.

Example, in a Dockerfile:

  HEALTHCHECK CMD ["/lectern", "health"]`
}

// Run asks the instance that this machine runs under the same settings. It
// prints what the instance says, and returns an error if that is no.
func (c healthCommand) Run(ctx context.Context, p *program) error {
	address, err := probed(cmp.Or(p.settings.OpsListen, p.settings.Listen))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthTakesAtMost)
	defer cancel()
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // none of the environment's proxies
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", answer.Status, strings.TrimSpace(string(said)))
	}
	_, err = p.stdout.Write(said)
	return err
}

// probed is where this machine reaches what listens at an address: one without
// a host listens everywhere.
func probed(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	switch {
	case err != nil:
		return "", err
	case port == "0":
		return "", errors.New("an instance on port 0 has a free port, which nobody else knows: set LECTERN_OPS_LISTEN to the address that its log names")
	}
	switch host { // not localhost: a container may have nobody who knows that name
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port), nil
}
