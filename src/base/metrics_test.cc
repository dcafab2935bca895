#include "base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midonet::metrics_test {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, SameNameAndLabelsAreTheSameCounter) {
  Registry registry;
  registry.counter("midonet_requests_total", "Requests answered", {{"code", "200"}}).add();
  registry.counter("midonet_requests_total", "Requests answered", {{"code", "200"}}).add(2);
  EXPECT_THAT(registry.text(), HasSubstr("midonet_requests_total{code=\"200\"} 3"));
}

TEST(Metrics, CollectedSamplesAreReadAtEachScrape) {
  Registry registry;
  double value = 1;
  registry.collect("midonet_drops_total", "Frames dropped", [&] {
    return std::vector<Registry::Sample>{{{{"reason", "no_port"}}, value}};
  });
  EXPECT_THAT(registry.text(), HasSubstr("midonet_drops_total{reason=\"no_port\"} 1"));
  value = 5;
  EXPECT_THAT(registry.text(), HasSubstr("midonet_drops_total{reason=\"no_port\"} 5"));
}

TEST(Metrics, HistogramsCountIntoTheirBuckets) {
  Registry registry;
  registry.histogram("midonet_attach_seconds", "Attach", {0.001, 0.01}, {{"stage", "plan"}}).observe(0.005);
  EXPECT_THAT(registry.text(), HasSubstr("midonet_attach_seconds_bucket{stage=\"plan\",le=\"0.01\"} 1"));
}

}  // namespace
}  // namespace midonet::metrics_test
