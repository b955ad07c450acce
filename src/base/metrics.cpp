#include "base/metrics.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

#include "base/bytes.h"

namespace mailhold {
namespace {

bool is_name(std::string_view name) {
  const auto is_letter = [](char letter) { return (letter >= 'a' && letter <= 'z') || letter == '_'; };
  return !name.empty() && is_letter(name.front()) && std::all_of(name.begin(), name.end(), [&](char letter) {
    return is_letter(letter) || (letter >= '0' && letter <= '9');
  });
}

std::string_view name_of(MetricType type) {
  return type == MetricType::counter ? "counter" : type == MetricType::gauge ? "gauge" : "histogram";
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

// `quotes`: a label's value is quoted, a help is not.
std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char letter : text) {
    if (letter == '\\')
      out += "\\\\";
    else if (letter == '\n')
      out += "\\n";
    else if (letter == '"' && quotes)
      out += "\\\"";
    else
      out += letter;
  }
  return out;
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::observe(double value) {
  const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

// With mutex_ held.
Metrics::Series* Metrics::find(const std::string& name, MetricType type, const std::string& help, const MetricLabels& labels) {
  const bool is_sound =
      is_name(name) && std::all_of(labels.begin(), labels.end(), [](const auto& label) { return is_name(label.first); });
  Family* family = nullptr;
  if (is_sound) family = &families_.try_emplace(name, Family{type, help, {}}).first->second;
  const bool fits = family != nullptr && family->type == type;
  if (fits) {
    const auto known = family->series.find(labels);
    if (known != family->series.end()) return &known->second;
    if (family->series.size() < series_max) {
      Series& series = family->series[labels];
      series.labels = labels;
      return &series;
    }
  }
  unshown_.resize(1);
  if (!unshown_.front()) unshown_.front() = std::make_unique<Series>();
  return unshown_.front().get();
}

Counter& Metrics::counter(const std::string& name, const std::string& help, const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  Series* series = find(name, MetricType::counter, help, labels);
  if (!series->counter) series->counter = std::make_unique<Counter>();
  return *series->counter;
}

Gauge& Metrics::gauge(const std::string& name, const std::string& help, const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  Series* series = find(name, MetricType::gauge, help, labels);
  if (!series->gauge) series->gauge = std::make_unique<Gauge>();
  return *series->gauge;
}

Histogram& Metrics::histogram(const std::string& name, const std::string& help, const std::vector<double>& bounds,
                              const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  Series* series = find(name, MetricType::histogram, help, labels);
  if (!series->histogram) series->histogram = std::make_unique<Histogram>(bounds);
  return *series->histogram;
}

void Metrics::forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = families_.find(name);
  if (found != families_.end() && found->second.type == MetricType::gauge) found->second.series.clear();
}

void Metrics::before_telling(std::function<void()> refresh) {
  const std::lock_guard lock(mutex_);
  refreshes_.push_back(std::move(refresh));
}

MetricFamilies Metrics::families() {
  std::vector<std::function<void()>> refreshes;
  {
    const std::lock_guard lock(mutex_);
    refreshes = refreshes_;
  }
  for (const auto& refresh : refreshes) refresh();
  const std::lock_guard lock(mutex_);
  MetricFamilies families;
  for (const auto& [name, family] : families_) {
    MetricFamily told{family.type, family.help, {}};
    for (const auto& [labels, series] : family.series) {
      if (series.counter) told.samples.push_back({{}, labels, static_cast<double>(series.counter->value())});
      if (series.gauge) told.samples.push_back({{}, labels, series.gauge->value()});
      if (!series.histogram) continue;
      std::uint64_t count = 0;
      for (std::size_t i = 0; i < series.histogram->counts_.size(); ++i) {
        const auto& bounds = series.histogram->bounds_;
        count += series.histogram->counts_[i].load(std::memory_order_relaxed);
        MetricLabels bucket = labels;
        bucket["le"] = i < bounds.size() ? number(bounds[i]) : "+Inf";
        told.samples.push_back({"_bucket", std::move(bucket), static_cast<double>(count)});
      }
      told.samples.push_back({"_sum", labels, series.histogram->sum_.load(std::memory_order_relaxed)});
      told.samples.push_back({"_count", labels, static_cast<double>(count)});
    }
    if (!told.samples.empty()) families.emplace(name, std::move(told));
  }
  return families;
}

Metrics& metrics() {
  static Metrics the_metrics;
  return the_metrics;
}

std::string write_families(const MetricFamilies& families) {
  ByteWriter writer;
  writer.u32(static_cast<std::uint32_t>(families.size()));
  for (const auto& [name, family] : families) {
    writer.text(name).u8(static_cast<std::uint8_t>(family.type)).text(family.help);
    writer.u32(static_cast<std::uint32_t>(family.samples.size()));
    for (const MetricSample& sample : family.samples) {
      writer.text(sample.suffix).u64(std::bit_cast<std::uint64_t>(sample.value));
      writer.u32(static_cast<std::uint32_t>(sample.labels.size()));
      for (const auto& [label, value] : sample.labels) writer.text(label).text(value);
    }
  }
  return writer.take();
}

Result<MetricFamilies> read_families(std::string_view bytes) {
  const Error unsound{ErrorKind::corrupt, "metrics that are none"};
  ByteReader reader(bytes);
  MetricFamilies families;
  for (std::uint32_t left = reader.count(13); left > 0; --left) {
    const std::string name(reader.text());
    MetricFamily family;
    family.type = static_cast<MetricType>(reader.u8());
    family.help = reader.text();
    if (!is_name(name) || family.type < MetricType::counter || family.type > MetricType::histogram) return unsound;
    for (std::uint32_t samples = reader.count(16); samples > 0; --samples) {
      MetricSample sample;
      sample.suffix = reader.text();
      const bool is_known =
          sample.suffix.empty() || sample.suffix == "_bucket" || sample.suffix == "_sum" || sample.suffix == "_count";
      if (!is_known || sample.suffix.empty() == (family.type == MetricType::histogram)) return unsound;
      sample.value = std::bit_cast<double>(reader.u64());
      for (std::uint32_t labels = reader.count(8); labels > 0; --labels) {
        const std::string label(reader.text());
        if (!is_name(label)) return unsound;
        sample.labels[label] = std::string(reader.text());
      }
      family.samples.push_back(std::move(sample));
    }
    families[name] = std::move(family);
  }
  RETURN_IF_ERROR(reader.finish());
  return families;
}

void join_families(MetricFamilies& all, MetricFamilies more, const std::string& program) {
  for (auto& [name, family] : more) {
    const auto known = all.find(name);
    if (known != all.end() && known->second.type != family.type) continue;
    for (MetricSample& sample : family.samples) sample.labels["program"] = program;
    if (known == all.end()) {
      all.emplace(name, std::move(family));
    } else {
      std::move(family.samples.begin(), family.samples.end(), std::back_inserter(known->second.samples));
    }
  }
}

std::string metrics_text(const MetricFamilies& families) {
  std::string text;
  for (const auto& [name, family] : families) {
    text += "# HELP " + name + " " + escaped(family.help, false) + "\n# TYPE " + name + " " + std::string(name_of(family.type)) +
            "\n";
    for (const MetricSample& sample : family.samples) {
      text += name + sample.suffix;
      const char* before = "{";
      for (const auto& [label, value] : sample.labels) {
        text += before + label + "=\"" + escaped(value, true) + "\"";
        before = ",";
      }
      text += std::string(sample.labels.empty() ? "" : "}") + " " + number(sample.value) + "\n";
    }
  }
  return text;
}

}  // namespace mailhold
