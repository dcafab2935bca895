#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace midonet {

void Counter::add(double by) { counter_->Increment(by); }
void Gauge::set(double value) { gauge_->Set(value); }
void Histogram::observe(double value) { histogram_->Observe(value); }

struct Registry::Impl {
  struct Source {
    std::string name;
    std::string help;
    std::function<std::vector<Sample>()> read;
  };
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
  std::vector<Source> sources;
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Counter Registry::counter(const std::string& name, const std::string& help, const Labels& labels) {
  return Counter(prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry).Add(labels));
}

Gauge Registry::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  return Gauge(prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry).Add(labels));
}

Histogram Registry::histogram(const std::string& name, const std::string& help, const std::vector<double>& buckets,
                              const Labels& labels) {
  return Histogram(prometheus::BuildHistogram().Name(name).Help(help).Register(impl_->registry).Add(labels, buckets));
}

void Registry::collect(const std::string& name, const std::string& help, std::function<std::vector<Sample>()> read) {
  impl_->sources.push_back({name, help, std::move(read)});
}

std::string Registry::text() const {
  std::vector<prometheus::MetricFamily> families = impl_->registry.Collect();
  for (const Impl::Source& source : impl_->sources) {
    prometheus::MetricFamily family;
    family.name = source.name;
    family.help = source.help;
    family.type = prometheus::MetricType::Counter;
    for (const Sample& sample : source.read()) {
      prometheus::ClientMetric metric;
      for (const auto& [label, value] : sample.labels) metric.label.push_back({label, value});
      metric.counter.value = sample.value;
      family.metric.push_back(std::move(metric));
    }
    families.push_back(std::move(family));
  }
  return prometheus::TextSerializer().Serialize(families);
}

const std::vector<double>& Registry::latency_buckets() {
  static const std::vector<double> buckets = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                              0.05,    0.1,    0.25,    0.5,    1,     2.5,    5,     10};
  return buckets;
}

}  // namespace midonet
