// Metrics: what a process counts and measures, for whoever watches: counters, gauges and histograms with labels. Making one takes
// a lock; counting is an atomic addition. References stay good for the life of the process. Any thread.
//
// Labels are of small sets, or ids where their number is bounded; never a name, an address or a text of somebody's. A family
// holds at most series_max series: what would be more is counted in one that is not shown.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mailhold {

using MetricLabels = std::map<std::string, std::string>;

class Counter {
 public:
  void add(std::uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0;
};

// How many observations were at most each of the bounds, which rise.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void observe(double value);

 private:
  friend class Metrics;
  const std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> counts_;  // one more than bounds: what is above all of them
  std::atomic<double> sum_ = 0;
};

enum class MetricType : std::uint8_t { counter = 1, gauge = 2, histogram = 3 };

// As it is carried between our processes and shown.
struct MetricSample {
  std::string suffix{};  // of a histogram: "_bucket", "_sum", "_count"
  MetricLabels labels{};
  double value = 0;
};
struct MetricFamily {
  MetricType type = MetricType::gauge;
  std::string help{};
  std::vector<MetricSample> samples{};
};
using MetricFamilies = std::map<std::string, MetricFamily>;

class Metrics {
 public:
  static constexpr std::size_t series_max = 2'000;

  // The one with that name and those labels, made if it is new. Names and labels are [a-z_][a-z0-9_]*; a name that is of another
  // type already, or no name, is a bug and gives one that is not shown.
  Counter& counter(const std::string& name, const std::string& help, const MetricLabels& labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, const MetricLabels& labels = {});
  Histogram& histogram(const std::string& name, const std::string& help, const std::vector<double>& bounds,
                       const MetricLabels& labels = {});
  // Gauges of the family go, so that those that no longer hold anything are not shown.
  void forget(const std::string& name);

  // Called before the families are told, to set what is only looked up when somebody asks. What it
  // looks at must be there as long as somebody may ask.
  void before_telling(std::function<void()> refresh);
  MetricFamilies families();

 private:
  struct Series {
    MetricLabels labels;
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<Histogram> histogram;
  };
  struct Family {
    MetricType type;
    std::string help;
    std::map<MetricLabels, Series> series;
  };
  Series* find(const std::string& name, MetricType type, const std::string& help, const MetricLabels& labels);

  std::mutex mutex_;
  std::map<std::string, Family> families_;
  std::vector<std::unique_ptr<Series>> unshown_;
  std::vector<std::function<void()>> refreshes_;
};

// Of this process.
Metrics& metrics();

// Between our processes.
std::string write_families(const MetricFamilies& families);
Result<MetricFamilies> read_families(std::string_view bytes);  // corrupt
// `more` gets the label `program`; families of one name are joined, if they are of one type.
void join_families(MetricFamilies& all, MetricFamilies more, const std::string& program);

// Prometheus text format 0.0.4.
std::string metrics_text(const MetricFamilies& families);

}  // namespace mailhold
