//go:build tools

// Package pulumi pins what the lab builds; see build.py beside this folder.
package pulumi

import (
	_ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
)
