// Command decide asks tailscaled's own packet filter, for tests: rules and connections come in as JSON on stdin, and
// out goes which of these pass. A policy beside them is read as Tailscale reads it, HuJSON, and comes out as plain JSON.
//
//	{"policy": "{…}", "rules": [{"SrcIPs": …}], "asks": [{"src": "100.64.0.1", "dst": "100.64.0.2", "port": 22, "proto": 6}]}
//	{"policy": {…}, "passes": [true]}
package main

import (
	"encoding/json"
	"log"
	"net/netip"
	"os"

	"github.com/tailscale/hujson"
	"go4.org/netipx"
	"tailscale.com/tailcfg"
	"tailscale.com/types/ipproto"
	"tailscale.com/wgengine/filter"
)

type connection struct {
	Src, Dst netip.Addr
	Port     uint16
	Proto    ipproto.Proto // the number of the protocol: 6 is TCP
}

type question struct {
	Policy string
	Rules  []tailcfg.FilterRule // as a control server sends them
	Asks   []connection
}

type answer struct {
	Policy json.RawMessage `json:"policy"`
	Passes []bool          `json:"passes"`
}

func main() {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatal(err)
	}
	said, err := decide(asked)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(said); err != nil {
		log.Fatal(err)
	}
}

func decide(asked question) (answer, error) {
	policy, err := hujson.Standardize([]byte(asked.Policy))
	if err != nil {
		return answer{}, err
	}
	matches, err := filter.MatchesFromFilterRules(asked.Rules)
	if err != nil {
		return answer{}, err
	}
	var own netipx.IPSetBuilder // a filter lets nothing in that is not for the node: here it is every node asked for
	for _, one := range asked.Asks {
		own.Add(one.Dst)
	}
	nodes, err := own.IPSet()
	if err != nil {
		return answer{}, err
	}
	said := answer{Policy: policy, Passes: []bool{}}
	for _, one := range asked.Asks {
		// Each on a filter of its own: it remembers what went out, and lets the answers in.
		guard := filter.New(matches, nil, nodes, nil, nil, func(string, ...any) {})
		said.Passes = append(said.Passes, guard.Check(one.Src, one.Dst, one.Port, one.Proto) == filter.Accept)
	}
	return said, nil
}
