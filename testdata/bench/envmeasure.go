package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"fuin.dev/controller/kubetest"
)

// during measures a part of a controller's life, from when nothing is to be
// done.
func (ctl *controller) during(ctx context.Context, c *kubetest.Cluster) (*measurement, error) {
	if err := untilRest(ctx, c.APIServer.PID(), c.Etcd.PID(), ctl.PID()); err != nil {
		return nil, err
	}
	before, err := serversOf(c)
	if err != nil {
		return nil, err
	}
	m := &measurement{ctl: ctl, cluster: c, before: before, used: treeOf(ctl.PID()).cpu, start: time.Now()}
	m.follower = follow(ctx, ctl)
	return m, nil
}

// stretch is what happened in some time.
type stretch struct {
	took     time.Duration
	used     sample  // CPU times
	passes   int     // of the Environment
	inPasses float64 // seconds
	requests float64 // to the API server
}

// stretch lets time go by and counts.
func (e *envCluster) stretch(ctx context.Context, length time.Duration) (stretch, error) {
	m, err := e.ctl.during(ctx, e.Cluster)
	if err != nil {
		return stretch{}, err
	}
	before, err := e.counters(ctx)
	if err != nil {
		return stretch{}, err
	}
	start := time.Now()
	if err := sleep(ctx, length); err != nil {
		return stretch{}, err
	}
	out, err := e.counters(ctx)
	if err != nil {
		return stretch{}, err
	}
	out.took = time.Since(start)
	out.passes -= before.passes
	out.inPasses -= before.inPasses
	out.requests -= before.requests
	out.used.Load = loadAverage()
	return out, m.end(ctx, &out.used)
}

// counters reads the controller's metrics.
func (e *envCluster) counters(ctx context.Context) (s stretch, err error) {
	const stages = "fuin_environment_stage_seconds"
	err = e.ctl.eachMetric(ctx, func(line string) {
		value, _ := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		switch {
		case strings.HasPrefix(line, "rest_client_requests_total{"):
			s.requests += value
		case strings.HasPrefix(line, stages+`_count{stage="fetch"}`):
			s.passes = int(value)
		case strings.HasPrefix(line, stages+"_sum"):
			s.inPasses += value
		}
	})
	return s, err
}

// perPass is what one pass took, beyond what the controller does anyway.
func (s stretch) perPass(idle stretch) sample {
	share := s.took.Seconds() / idle.took.Seconds()
	each := func(busy, idle time.Duration) time.Duration {
		return max(0, busy-time.Duration(float64(idle)*share)) / time.Duration(s.passes)
	}
	out := s.used
	out.Wall = time.Duration((s.inPasses - idle.inPasses*share) / float64(s.passes) * float64(time.Second))
	out.CPU, out.APIServer, out.Etcd = each(out.CPU, idle.used.CPU), each(out.APIServer, idle.used.APIServer), each(out.Etcd, idle.used.Etcd)
	out.Requests = max(0, s.requests-idle.requests*share) / float64(s.passes)
	return out
}
