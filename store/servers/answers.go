package servers

import (
	"context"
	"strings"
)

// LoseAnswers passes on what clients send, and breaks their connections
// before they get an answer to it.
func (p *Proxy) LoseAnswers() error {
	p.proxy.Toxics.ResetToxics(context.Background())
	_, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(
		`{"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 0}}`))
	return err
}
