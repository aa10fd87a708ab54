//go:build tools

// Package authority pins what the lab builds; see build.py beside this folder.
package authority

import (
	_ "github.com/smallstep/certificates/cmd/step-ca"
)
