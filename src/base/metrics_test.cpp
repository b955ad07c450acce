#include "base/metrics.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <thread>

#include "base/text.h"

namespace mailhold {
namespace {

// A strict reader of the text format 0.0.4, written from its description: HELP, TYPE, then all samples of a family, each family
// and each series once, and buckets that rise to the count.
struct Shown {
  std::map<std::string, std::string> types;
  std::map<std::string, double> samples;  // "name{labels}"
};
Shown read_strictly(const std::string& text) {
  static const std::regex help(R"re(# HELP ([a-z_][a-z0-9_]*) (([^\\]|\\\\|\\n)*))re"),
      type(R"re(# TYPE ([a-z_][a-z0-9_]*) (counter|gauge|histogram))re");
  static const std::regex sample(R"re(([a-z_][a-z0-9_]*)(\{([a-z_][a-z0-9_]*="([^"\\]|\\["n\\])*",?)*\})? (\S+))re");
  Shown shown;
  std::string family;
  bool is_typed = false;
  std::map<std::string, double> last_bucket;
  EXPECT_TRUE(text.empty() || text.ends_with('\n'));
  const std::string without_last_end = text.substr(0, text.empty() ? 0 : text.size() - 1);
  for (const auto piece : split(without_last_end, '\n')) {
    const std::string line(piece);
    std::smatch match;
    if (std::regex_match(line, match, help)) {
      family = match[1];
      is_typed = false;
      EXPECT_FALSE(shown.types.contains(family)) << "twice: " << family;
    } else if (std::regex_match(line, match, type)) {
      EXPECT_EQ(match[1], family);
      EXPECT_FALSE(is_typed);
      is_typed = true;
      shown.types[family] = match[2];
    } else if (std::regex_match(line, match, sample)) {
      EXPECT_TRUE(is_typed) << line;
      const std::string name = match[1], value = match[5];
      const bool is_histogram = shown.types[family] == "histogram";
      EXPECT_TRUE(is_histogram ? name == family + "_bucket" || name == family + "_sum" || name == family + "_count"
                               : name == family)
          << line;
      EXPECT_TRUE(shown.samples.emplace(line.substr(0, line.rfind(' ')), std::stod(value)).second) << "twice: " << line;
      if (name == family + "_bucket") {
        EXPECT_NE(line.find("le=\""), std::string::npos);
        const std::string others = std::regex_replace(match[2].str(), std::regex("le=\"[^\"]*\",?"), "");
        EXPECT_GE(std::stod(value), last_bucket[others]) << line;
        last_bucket[others] = std::stod(value);
      }
    } else {
      ADD_FAILURE() << "no line of the format: " << line;
    }
  }
  return shown;
}

TEST(Metrics, are_shown_as_the_format_says) {
  Metrics metrics;
  metrics.counter("mailhold_syncs_total", "Syncs.", {{"outcome", "done"}}).add(3);
  metrics.counter("mailhold_syncs_total", "Syncs.", {{"outcome", "done"}}).add();
  metrics.counter("mailhold_syncs_total", "Syncs.", {{"outcome", "broken"}});
  metrics.gauge("mailhold_age_seconds", "Of what is\\ \nold.", {{"mailbox", "a\"b\\c\nd"}}).set(0.25);
  auto& histogram = metrics.histogram("mailhold_took_seconds", "Time.", {0.5, 1, 10});
  for (const double value : {0.1, 0.5, 0.7, 5.0, 100.0}) histogram.observe(value);
  const Shown shown = read_strictly(metrics_text(metrics.families()));
  EXPECT_EQ(shown.samples.at("mailhold_syncs_total{outcome=\"done\"}"), 4);
  EXPECT_EQ(shown.samples.at("mailhold_syncs_total{outcome=\"broken\"}"), 0);
  EXPECT_EQ(shown.samples.at("mailhold_age_seconds{mailbox=\"a\\\"b\\\\c\\nd\"}"), 0.25);
  EXPECT_EQ(shown.samples.at("mailhold_took_seconds_bucket{le=\"0.5\"}"), 2) << "at most the bound";
  EXPECT_EQ(shown.samples.at("mailhold_took_seconds_bucket{le=\"1\"}"), 3);
  EXPECT_EQ(shown.samples.at("mailhold_took_seconds_bucket{le=\"+Inf\"}"), 5);
  EXPECT_EQ(shown.samples.at("mailhold_took_seconds_count"), 5);
  EXPECT_DOUBLE_EQ(shown.samples.at("mailhold_took_seconds_sum"), 106.3);
}

TEST(Metrics, of_several_programs_are_one_family) {
  Metrics ours, theirs;
  ours.counter("mailhold_calls_total", "Calls.").add(1);
  theirs.counter("mailhold_calls_total", "Calls.").add(2);
  theirs.gauge("mailhold_only_there", "Theirs.").set(1);
  MetricFamilies all;
  join_families(all, ours.families(), "apid");
  join_families(all, read_families(write_families(theirs.families())).value(), "workerd");
  Metrics liar;
  liar.gauge("mailhold_calls_total", "Another type.").set(9);
  join_families(all, liar.families(), "linkd");
  const Shown shown = read_strictly(metrics_text(all));
  EXPECT_EQ(shown.samples.size(), 3U);
  EXPECT_EQ(shown.samples.at("mailhold_calls_total{program=\"apid\"}"), 1);
  EXPECT_EQ(shown.samples.at("mailhold_calls_total{program=\"workerd\"}"), 2);
}

TEST(Metrics, no_series_too_many_and_none_with_an_odd_name) {
  Metrics metrics;
  for (std::size_t i = 0; i < Metrics::series_max + 50; ++i)
    metrics.gauge("mailhold_many", "Many.", {{"id", std::to_string(i)}}).set(1);
  metrics.counter("mailhold-odd", "Odd.").add();
  metrics.counter("mailhold_many", "Another type.").add();
  metrics.counter("mailhold_fine", "Fine.", {{"Odd", "x"}}).add();
  const auto families = metrics.families();
  EXPECT_EQ(families.size(), 1U);
  EXPECT_EQ(families.at("mailhold_many").samples.size(), Metrics::series_max);
  metrics.forget("mailhold_many");
  EXPECT_TRUE(metrics.families().empty());
}

TEST(Metrics, every_addition_of_every_thread_counts) {
  Metrics metrics;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10'000; ++n) metrics.counter("mailhold_n_total", "N.").add();
    });
  }
  threads.clear();
  EXPECT_EQ(metrics.counter("mailhold_n_total", "N.").value(), 40'000U);
}

TEST(Metrics, what_is_looked_up_is_looked_up_when_somebody_asks) {
  Metrics metrics;
  int asked = 0;
  metrics.before_telling([&] { metrics.gauge("mailhold_asked", "How often.").set(++asked); });
  (void)metrics.families();
  EXPECT_EQ(metrics.families().at("mailhold_asked").samples.at(0).value, 2);
}

TEST(Metrics, bytes_that_are_none_are_refused) {
  Metrics metrics;
  metrics.histogram("mailhold_took_seconds", "Time.", {1}, {{"of", "x"}}).observe(2);
  const std::string bytes = write_families(metrics.families());
  EXPECT_EQ(write_families(read_families(bytes).value()), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(read_families(bytes.substr(0, size))) << size;
}

}  // namespace
}  // namespace mailhold
