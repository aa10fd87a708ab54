//go:build tools

// Package language pins what the lab builds; see build.py beside this folder.
package language

import (
	_ "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
)
