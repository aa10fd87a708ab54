//go:build tools

// Package store pins what the lab builds; see build.py beside this folder.
package store

import (
	_ "github.com/versity/versitygw/cmd/versitygw"
)
