package main

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// shownNode is a node as administration lists it.
type shownNode struct {
	Name      string       `json:"name"`
	NodeKey   string       `json:"node_key"`
	Addresses []netip.Addr `json:"addresses"` // v4, v6
	Tags      []string     `json:"tags"`
	Online    bool         `json:"online"`
	Expired   bool         `json:"expired"`
	LastSeen  time.Time    `json:"last_seen"`
}

// adminHandler serves, each with JSON in and out:
//
//	GET    /nodes                  []shownNode
//	PUT    /nodes/{name}/address   {"address": "100.64.0.99"}
//	POST   /nodes/{name}/expire
//	DELETE /nodes/{name}
//	GET    /node-keys/{key}        {"state": "valid" | "expired" | "replaced" | "deleted" | "unknown"}
//	POST   /auth-keys              {"reusable": true, "tags": ["tag:spark"]} gives {"key": "tskey-auth-…"}
//	POST   /auth-keys/revoke       {"key": "tskey-auth-…"}
//	PUT    /filter                 []tailcfg.FilterRule
func adminHandler(t *tailnet) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /nodes", func(w http.ResponseWriter, _ *http.Request) { answer(w, t.list(), nil) })
	mux.HandleFunc("PUT /nodes/{name}/address", func(w http.ResponseWriter, r *http.Request) {
		var wanted struct{ Address netip.Addr }
		if !taken(w, r, &wanted) {
			return
		}
		answer(w, struct{}{}, t.readdress(r.PathValue("name"), wanted.Address))
	})
	mux.HandleFunc("POST /nodes/{name}/expire", func(w http.ResponseWriter, r *http.Request) {
		answer(w, struct{}{}, t.expire(r.PathValue("name")))
	})
	mux.HandleFunc("DELETE /nodes/{name}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, struct{}{}, t.remove(r.PathValue("name")))
	})
	mux.HandleFunc("GET /node-keys/{key}", func(w http.ResponseWriter, r *http.Request) {
		var asked key.NodePublic
		err := asked.UnmarshalText([]byte(r.PathValue("key")))
		answer(w, map[string]string{"state": t.state(asked)}, err)
	})
	mux.HandleFunc("POST /auth-keys", func(w http.ResponseWriter, r *http.Request) {
		var kind authKey
		if taken(w, r, &kind) {
			answer(w, map[string]string{"key": t.newAuthKey(kind)}, nil)
		}
	})
	mux.HandleFunc("POST /auth-keys/revoke", func(w http.ResponseWriter, r *http.Request) {
		var revoked struct{ Key string }
		if taken(w, r, &revoked) {
			answer(w, map[string]bool{"was": t.revokeAuthKey(revoked.Key)}, nil)
		}
	})
	mux.HandleFunc("PUT /filter", func(w http.ResponseWriter, r *http.Request) {
		var rules []tailcfg.FilterRule
		if !taken(w, r, &rules) {
			return
		}
		answer(w, struct{}{}, t.setFilter(rules))
	})
	return mux
}

func taken(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(r.Body).Decode(into)
	if err != nil {
		answer(w, nil, err)
	}
	return err == nil
}

func answer(w http.ResponseWriter, what any, err error) {
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		what = map[string]string{"error": err.Error()}
	}
	json.NewEncoder(w).Encode(what)
}

func (t *tailnet) list() []shownNode {
	t.mu.Lock()
	defer t.mu.Unlock()
	shown := []shownNode{}
	for _, m := range t.machines {
		shown = append(shown, shownNode{
			Name: m.name(), NodeKey: m.node.Key.String(), Tags: m.node.Tags,
			Addresses: []netip.Addr{m.node.Addresses[0].Addr(), m.node.Addresses[1].Addr()},
			Online:    m.streams > 0, Expired: m.expired, LastSeen: m.lastSeen,
		})
	}
	slices.SortFunc(shown, func(a, b shownNode) int { return strings.Compare(a.Name, b.Name) })
	return shown
}

// state says what a node key is worth here.
func (t *tailnet) state(asked key.NodePublic) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if why, gone := t.refused[asked]; gone {
		return why
	}
	for _, m := range t.machines {
		switch {
		case m.node.Key != asked:
		case m.expired:
			return "expired"
		default:
			return "valid"
		}
	}
	return "unknown"
}
