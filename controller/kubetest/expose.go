package kubetest

import (
	"context"
	"errors"
	"fmt"
	"net"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Address returns an IPv4 address of this machine that is not loopback: what a
// process listens on that the API server's service proxy shall reach, since the
// API server refuses loopback addresses.
func Address() (string, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, address := range addresses {
		network, ok := address.(*net.IPNet)
		if ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP.String(), nil
		}
	}
	return "", errors.New("this machine has no address but loopback ones")
}

// Expose puts a process that listens on Address and the port behind a Service,
// so that the API server's service proxy reaches it. The Service is made with
// one port, http, if it does not exist; one that exists keeps its ports, which
// all lead to the process, and loses its selector. Exposing another port later
// replaces the first.
func (c *Cluster) Expose(ctx context.Context, namespace, service string, port int) error {
	err := c.expose(ctx, client.ObjectKey{Namespace: namespace, Name: service}, port)
	if err != nil {
		return fmt.Errorf("exposing service %s/%s: %w", namespace, service, err)
	}
	return nil
}

func (c *Cluster) expose(ctx context.Context, key client.ObjectKey, port int) error {
	ip, err := Address()
	if err != nil {
		return err
	}
	service, err := c.aim(ctx, key, port)
	if err != nil {
		return err
	}
	pod, err := c.standIn(ctx, key, ip)
	if err != nil {
		return err
	}
	return c.writeEndpoints(ctx, service, pod, port)
}

// aim makes the Service, or changes it, so that its ports lead to the port and
// nobody else writes its endpoints.
func (c *Cluster) aim(ctx context.Context, key client.ObjectKey, port int) (*corev1.Service, error) {
	service := &corev1.Service{}
	err := c.client.Get(ctx, key, service)
	if apierrors.IsNotFound(err) {
		service.Namespace, service.Name = key.Namespace, key.Name
		service.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: int32(port)}}
		return service, c.client.Create(ctx, service)
	}
	if err != nil {
		return nil, err
	}
	service.Spec.Selector = nil
	for i := range service.Spec.Ports {
		service.Spec.Ports[i].TargetPort = intstr.FromInt(port)
	}
	return service, c.client.Update(ctx, service)
}

// standIn makes the Pod that the proxy wants to see behind an address.
func (c *Cluster) standIn(ctx context.Context, key client.ObjectKey, ip string) (*corev1.Pod, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name + "-kubetest"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "process", Image: "none"}}},
	}
	if err := c.client.Create(ctx, pod); client.IgnoreAlreadyExists(err) != nil {
		return nil, err
	}
	if err := c.client.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
		return nil, err
	}
	before := client.MergeFrom(pod.DeepCopy())
	pod.Status.Phase = corev1.PodRunning
	pod.Status.PodIP = ip
	pod.Status.PodIPs = []corev1.PodIP{{IP: ip}}
	return pod, c.client.Status().Patch(ctx, pod, before)
}

// writeEndpoints writes the list that the proxy reads. It is of the old kind:
// the proxy does not read EndpointSlices, which the controller manager mirrors.
//
//nolint:staticcheck // deprecated, and without a substitute here
func (c *Cluster) writeEndpoints(ctx context.Context, service *corev1.Service, pod *corev1.Pod, port int) error {
	subset := corev1.EndpointSubset{Addresses: []corev1.EndpointAddress{{
		IP:        pod.Status.PodIP,
		TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
	}}}
	for _, p := range service.Spec.Ports {
		subset.Ports = append(subset.Ports, corev1.EndpointPort{Name: p.Name, Port: int32(port), Protocol: p.Protocol})
	}
	want := &corev1.Endpoints{
		ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: service.Name},
		Subsets:    []corev1.EndpointSubset{subset},
	}
	err := c.client.Create(ctx, want)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	return c.client.Update(ctx, want) // without a resource version, so whatever stands there
}
