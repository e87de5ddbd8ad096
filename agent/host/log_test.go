package host

import (
	"io"
	"log/slog"
)

var discard = slog.New(slog.DiscardHandler)

func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
