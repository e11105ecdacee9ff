package config

import (
	"fmt"

	"github.com/attune-automation/sensors/internal/size"
)

// sizeValue is a number of bytes.
type sizeValue struct {
	field    *int64
	min, max int64
	off      bool // 0 is allowed too
}

func (v sizeValue) set(text string) error {
	n, err := size.Parse(text)
	switch {
	case err != nil:
		return err
	case v.off && n == 0:
		// none
	case n > v.max:
		return fmt.Errorf("is too large: use %s", v.span())
	case n < v.min:
		return fmt.Errorf("is too small: use %s", v.span())
	}
	*v.field = n
	return nil
}

func (v sizeValue) text() string {
	if *v.field == 0 {
		return "0"
	}
	return size.Format(*v.field)
}

func (v sizeValue) kind() string { return "size, " + v.span() }

func (v sizeValue) span() string {
	return orZero(v.off) + fmt.Sprintf("%s to %s", size.Format(v.min), size.Format(v.max))
}
