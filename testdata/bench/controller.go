package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"fuin.dev/controller/kubetest"
)

// controller is one of the two, as a process.
type controller struct {
	kubetest.Process
	metrics   string // URL
	counter   string // name of the metric that counts private-key operations; empty: it counts none
	sandboxed bool   // it keeps children
}

// endWithin is how long a controller may take to end when it is asked to.
const endWithin = 15 * time.Second

// end asks the controller to end, as a cluster does, and waits for it.
func (ctl *controller) end(ctx context.Context) error {
	if err := syscall.Kill(ctl.PID(), syscall.SIGTERM); err != nil {
		return err
	}
	for end := time.Now().Add(endWithin); ctl.PID() != 0 && time.Now().Before(end); {
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
	return ctl.Stop()
}

// explain adds to an error what the controller said last.
func (ctl *controller) explain(err error) error {
	log, _ := os.ReadFile(ctl.Log)
	return fmt.Errorf("%w; the controller's log ends in:\n%s", err, log[max(0, len(log)-2000):])
}

// pollEvery is how often the metrics of that many objects are read: each
// reading costs the controller some CPU and memory for every object, and adds
// half of the time between two to what is measured.
func pollEvery(objects int) time.Duration {
	return max(100*time.Millisecond, time.Duration(objects)*100*time.Microsecond)
}

// goneThrough waits until the controller has shown a condition of every object
// in its metrics, which both do at the end of each.
func (ctl *controller) goneThrough(ctx context.Context, start time.Time, objects int) (time.Duration, error) {
	const condition = `sealed_secrets_controller_condition_info{condition="Synced",`
	for {
		shown, err := ctl.count(ctx, condition)
		if err == nil && shown >= objects {
			return time.Since(start), nil
		}
		if ctl.PID() == 0 {
			return 0, errors.New("it ended")
		}
		if time.Since(start) > workWithin {
			return 0, fmt.Errorf("it showed %d of %d objects in %s: %w", shown, objects, workWithin, err)
		}
		if err := sleep(ctx, pollEvery(objects)); err != nil {
			return 0, err
		}
	}
}

// count is how many samples of the metrics begin with a text.
func (ctl *controller) count(ctx context.Context, prefix string) (n int, err error) {
	err = ctl.eachMetric(ctx, func(line string) {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	})
	return n, err
}

// operations is how many times a private key was used, whatever its kind.
func (ctl *controller) operations(ctx context.Context) (sum float64, err error) {
	if ctl.counter == "" {
		return 0, nil
	}
	var failed error
	err = ctl.eachMetric(ctx, func(line string) {
		if strings.HasPrefix(line, ctl.counter) {
			n, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			sum, failed = sum+n, errors.Join(failed, err)
		}
	})
	return sum, errors.Join(err, failed)
}

// eachMetric calls do with each line of the metrics.
func (ctl *controller) eachMetric(ctx context.Context, do func(line string)) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, ctl.metrics, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", ctl.metrics, answer.Status)
	}
	lines := bufio.NewScanner(io.LimitReader(answer.Body, 256<<20))
	for lines.Scan() {
		do(lines.Text())
	}
	return lines.Err()
}
