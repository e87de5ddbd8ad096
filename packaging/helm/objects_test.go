package helm_test

import (
	"crypto/x509"
	"encoding/pem"
	"reflect"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// objects is what one rendering consists of.
type objects struct {
	byName map[string]runtime.Object // by KIND/NAME
	pods   map[string]corev1.PodTemplateSpec
}

func (o *objects) add(t *testing.T, object runtime.Object) {
	t.Helper()
	if o.byName == nil {
		o.byName, o.pods = map[string]runtime.Object{}, map[string]corev1.PodTemplateSpec{}
	}
	m := object.(metav1.Object)
	kind := object.GetObjectKind().GroupVersionKind().Kind
	name := kind + "/" + m.GetName()
	if o.byName[name] != nil {
		t.Errorf("%s is there twice", name)
	}
	if cluster := strings.HasPrefix(kind, "ClusterRole"); (m.GetNamespace() == "") != cluster {
		t.Errorf("%s is in namespace %q", name, m.GetNamespace())
	}
	o.byName[name] = object
	switch w := object.(type) {
	case *appsv1.DaemonSet:
		o.pods[name] = w.Spec.Template
		checkSelector(t, name, w.Spec.Selector, w.Spec.Template)
	case *appsv1.StatefulSet:
		o.pods[name] = w.Spec.Template
		checkSelector(t, name, w.Spec.Selector, w.Spec.Template)
		for _, c := range w.Spec.VolumeClaimTemplates {
			p := o.pods[name]
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: c.Name})
			o.pods[name] = p
		}
	case *appsv1.Deployment:
		o.pods[name] = w.Spec.Template
		checkSelector(t, name, w.Spec.Selector, w.Spec.Template)
	}
}

func checkSelector(t *testing.T, name string, s *metav1.LabelSelector, p corev1.PodTemplateSpec) {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil || selector.Empty() || !selector.Matches(labels.Set(p.Labels)) {
		t.Errorf("%s selects %v, and its pods have %v: %v", name, s, p.Labels, err)
	}
}

// checkReferences wants every Secret, ConfigMap and account that a pod names to
// be rendered, or to be one that the values name.
func (o *objects) checkReferences(t *testing.T) {
	t.Helper()
	for name, p := range o.pods {
		for _, v := range p.Spec.Volumes {
			if v.Secret != nil && strings.HasPrefix(v.Secret.SecretName, "gpumeter-") {
				o.checkKeys(t, name, v.Secret)
			}
			if c := v.PersistentVolumeClaim; c != nil && o.byName["PersistentVolumeClaim/"+c.ClaimName] == nil {
				t.Errorf("%s mounts claim %s, which is not there", name, c.ClaimName)
			}
			if v.ConfigMap != nil && o.byName["ConfigMap/"+v.ConfigMap.Name] == nil {
				t.Errorf("%s mounts ConfigMap %s, which is not there", name, v.ConfigMap.Name)
			}
		}
		if a := p.Spec.ServiceAccountName; a != "" && o.byName["ServiceAccount/"+a] == nil {
			t.Errorf("%s has account %s, which is not there", name, a)
		}
	}
}

// foreign are the Secrets that agents-only-values.yaml names.
var foreign = []string{"gpumeter-token", "gpumeter-ca"}

func (o *objects) checkKeys(t *testing.T, name string, v *corev1.SecretVolumeSource) {
	t.Helper()
	if slices.Contains(foreign, v.SecretName) {
		return
	}
	s, ok := o.byName["Secret/"+v.SecretName].(*corev1.Secret)
	if !ok {
		t.Errorf("%s mounts Secret %s, which is not there", name, v.SecretName)
		return
	}
	for _, item := range v.Items {
		if len(s.Data[item.Key]) == 0 {
			t.Errorf("%s mounts key %s of Secret %s, which is not there", name, item.Key, v.SecretName)
		}
	}
}

// checkSelectors wants what selects pods to select some that are there, and the
// ports that it names.
func (o *objects) checkSelectors(t *testing.T) {
	t.Helper()
	for name, object := range o.byName {
		var want map[string]string
		var ports []string
		switch s := object.(type) {
		case *corev1.Service:
			want, ports = s.Spec.Selector, []string{s.Spec.Ports[0].TargetPort.StrVal}
		case *networkingv1.NetworkPolicy:
			want = s.Spec.PodSelector.MatchLabels
			for _, in := range s.Spec.Ingress {
				ports = append(ports, in.Ports[0].Port.StrVal)
			}
		case *monitoring.PodMonitor:
			want, ports = s.Spec.Selector.MatchLabels, []string{*s.Spec.PodMetricsEndpoints[0].Port}
		case *monitoring.ServiceMonitor: // by the Service's labels, which are its pods'
			want, ports = s.Spec.Selector.MatchLabels, []string{s.Spec.Endpoints[0].Port}
		default:
			continue
		}
		if !slices.ContainsFunc(o.templates(), func(p corev1.PodTemplateSpec) bool {
			return labels.SelectorFromSet(want).Matches(labels.Set(p.Labels)) && hasPorts(p.Spec.Containers[0], ports)
		}) {
			t.Errorf("%s selects no pod with ports %v: %v", name, ports, want)
		}
	}
}

func hasPorts(c corev1.Container, names []string) bool {
	for _, name := range names {
		if !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == name }) {
			return false
		}
	}
	return true
}

func (o *objects) templates() []corev1.PodTemplateSpec {
	var out []corev1.PodTemplateSpec
	for _, p := range o.pods {
		out = append(out, p)
	}
	return out
}

// checkContainers wants containers that may nothing, and volumes for all mounts.
func (o *objects) checkContainers(t *testing.T) {
	t.Helper()
	for name, p := range o.pods {
		spec := p.Spec
		if spec.HostPID || spec.HostNetwork || spec.HostIPC {
			t.Errorf("%s is in a namespace of the node", name)
		}
		root := *spec.SecurityContext.RunAsUser == 0
		if root == *spec.SecurityContext.RunAsNonRoot {
			t.Errorf("%s runs as %d, and runAsNonRoot is %v", name, *spec.SecurityContext.RunAsUser, *spec.SecurityContext.RunAsNonRoot)
		}
		if asks := hasHostPath(spec, "pod-resources"); root != asks {
			t.Errorf("%s is root: %v, and asks the kubelet: %v", name, root, asks)
		}
		for _, c := range append(slices.Clone(spec.InitContainers), spec.Containers...) {
			checkContainer(t, name+" "+c.Name, spec, c)
		}
	}
}

func hasHostPath(spec corev1.PodSpec, volume string) bool {
	return slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == volume && v.HostPath != nil })
}

func checkContainer(t *testing.T, name string, spec corev1.PodSpec, c corev1.Container) {
	t.Helper()
	s := c.SecurityContext
	if *s.Privileged || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !reflect.DeepEqual(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("%s may too much: %+v", name, s)
	}
	if len(s.Capabilities.Add) > 0 && c.Name != "spool" {
		t.Errorf("%s has capabilities: %v", name, s.Capabilities.Add)
	}
	if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
		t.Errorf("%s has no request or no limit", name)
	}
	if _, tag, ok := strings.Cut(c.Image[strings.LastIndex(c.Image, "/"):], ":"); !ok || tag == "" || tag == "latest" {
		t.Errorf("%s has image %q", name, c.Image)
	}
	mounted := map[string]bool{}
	for _, m := range c.VolumeMounts {
		if !slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) {
			t.Errorf("%s mounts %s, which is not there", name, m.Name)
		}
		if mounted[m.MountPath] {
			t.Errorf("%s mounts two volumes at %s", name, m.MountPath)
		}
		mounted[m.MountPath] = true
	}
	checkFiles(t, name, c)
}

// checkFiles wants every file that an argument names to lie in a mount.
func checkFiles(t *testing.T, name string, c corev1.Container) {
	t.Helper()
	for _, arg := range c.Args {
		flag, file, _ := strings.Cut(arg, "=")
		if flag == "--store" {
			_, file, _ = strings.Cut(arg, "password-file=")
		}
		if !strings.HasPrefix(file, "/") {
			continue
		}
		if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
			return file == m.MountPath || strings.HasPrefix(file, m.MountPath+"/")
		}) {
			t.Errorf("%s: %s is in no mount", name, arg)
		}
	}
}

// checkCertificates wants new certificates to be good for the names that clients
// ask for.
func (o *objects) checkCertificates(t *testing.T) {
	t.Helper()
	for name, names := range map[string][]string{
		"gpumeter-collector-tls": {"gpumeter-collector.gpu.svc", "gpumeter-collector.gpu", "gpumeter-collector", "localhost"},
		"gpumeter-agent-tls":     {"gpumeter-agent"},
	} {
		s, ok := o.byName["Secret/"+name].(*corev1.Secret)
		if !ok {
			continue
		}
		roots := x509.NewCertPool()
		block, _ := pem.Decode(s.Data["tls.crt"])
		if !roots.AppendCertsFromPEM(s.Data["ca.crt"]) || block == nil {
			t.Fatalf("Secret %s has no certificates", name)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		for _, dns := range names {
			if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: dns}); err != nil {
				t.Errorf("Secret %s for %s: %v", name, dns, err)
			}
		}
	}
}
