//go:build tools

// Package tailnet pins what the lab builds; see build.py beside this folder.
package tailnet

import (
	_ "tailscale.com/cmd/tailscaled"
	_ "tailscale.com/cmd/tailscale"
	_ "tailscale.com/derp/derpserver"
	_ "tailscale.com/tstest/integration/testcontrol"
	_ "tailscale.com/net/stunserver"
)
