// The process's Prometheus metrics. main makes one Registry and hands it to the objects that count; there is no global one.
// Any thread may change counters, gauges and histograms; references stay valid as long as the Registry.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace midonet {

class Counter {
 public:
  explicit Counter(prometheus::Counter& counter) : counter_(&counter) {}
  void add(double by = 1);

 private:
  prometheus::Counter* counter_;
};

class Gauge {
 public:
  explicit Gauge(prometheus::Gauge& gauge) : gauge_(&gauge) {}
  void set(double value);

 private:
  prometheus::Gauge* gauge_;
};

class Histogram {
 public:
  explicit Histogram(prometheus::Histogram& histogram) : histogram_(&histogram) {}
  void observe(double value);

 private:
  prometheus::Histogram* histogram_;
};

class Registry {
 public:
  using Labels = std::map<std::string, std::string>;
  // One sample of a metric that is counted elsewhere (in the kernel, for example) and is read at each scrape.
  struct Sample {
    Labels labels;
    double value;
  };

  Registry();
  ~Registry();

  // The same name and labels give the same metric. `help` is one sentence without a full stop.
  Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram histogram(const std::string& name, const std::string& help, const std::vector<double>& buckets,
                      const Labels& labels = {});
  // Registers a counter family whose samples `read` gives at each scrape, on the thread that calls text().
  void collect(const std::string& name, const std::string& help, std::function<std::vector<Sample>()> read);

  // Everything in the Prometheus text format (version 0.0.4).
  std::string text() const;

  // Buckets in seconds for times from microseconds to seconds: 50 µs to 10 s.
  static const std::vector<double>& latency_buckets();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace midonet
