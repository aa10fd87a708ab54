//go:build tools

// Package tailnet pins what the lab builds; see build.py beside this folder. Its own program is in control/.
package tailnet

import (
	_ "tailscale.com/cmd/tailscale"
	_ "tailscale.com/cmd/tailscaled"
)
