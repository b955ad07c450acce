// Search beside a peer: the index of one tenant is built of a folder of messages, and asked. For bench/search_bench.py.
//   search_bench build MAIL INDEX      extracts, indexes, seals; prints messages, seconds, seconds of processor, bytes, peak
//   memory search_bench find INDEX QUERY      one question in a fresh process; prints how many are found, at most 100
//   search_bench all INDEX QUERIES     each line of a file in one process; prints the times in milliseconds, one on each line
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "features/scanning/extract.h"
#include "features/scanning/scan.h"
#include "features/search/query.h"
#include "features/search/tenant_index.h"

namespace {

using namespace mailhold;
using Steady = std::chrono::steady_clock;

const Id tenant = Id::from_bytes("tenant-of-bench-"), mailbox = Id::from_bytes("mailbox-of-bench");

search::Place place(const std::filesystem::path& folder) {
  return {"bench", tenant, 1, SecretText::copy_of(std::string(32, 'b')), folder};
}

void must(const Status& status) {
  if (status) return;
  std::cerr << status.error().detail << "\n";
  std::exit(1);
}

std::unique_ptr<search::TenantIndex> opened(const std::filesystem::path& folder) {
  auto index = search::TenantIndex::open(place(folder));
  must(index ? done() : Status(index.error()));
  return std::move(*index);
}

double seconds_since(Steady::time_point begin) { return std::chrono::duration<double>(Steady::now() - begin).count(); }

void build(const std::filesystem::path& mail, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  must(scanning::load_scan_tables());
  const auto begin = Steady::now();
  const auto index = opened(folder);
  search::Batch batch;
  std::uint64_t count = 0;
  const auto send = [&] {
    batch.cursor = {mailbox, static_cast<Milliseconds>(count), {}};
    must(index->add(batch));
    batch.documents.clear();
    for (;;) {
      const auto more = index->maintain();
      must(more ? done() : Status(more.error()));
      if (!*more) return;
    }
  };
  for (const auto& entry : std::filesystem::recursive_directory_iterator(mail)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    scanning::ExtractedText text = scanning::extract_text(bytes);
    search::Document document{mailbox, Id::random(), 0, text.has_attachment, {}};
    // As if received in the order of its number, which is its name.
    document.received = std::atoll(entry.path().filename().c_str()) * 600'000;
    document.texts = {text.senders, text.recipients, text.subject, text.body, text.attachment_names, text.attachment_text};
    batch.documents.push_back(std::move(document));
    if (++count % 128 == 0) send();
  }
  send();
  must(index->flush());
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const double processor = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                           static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  std::printf("%llu %.2f %.2f %llu %ld\n", static_cast<unsigned long long>(count), seconds_since(begin), processor,
              static_cast<unsigned long long>(index->figures().bytes), used.ru_maxrss);
}

std::size_t find(search::TenantIndex& index, const std::string& query) {
  const auto parsed = search::parse_query(query);
  must(parsed ? done() : Status(parsed.error()));
  const auto hits = index.find(parsed->question(mailbox, 100), Deadline::after(std::chrono::seconds(20)));
  must(hits ? done() : Status(hits.error()));
  return hits->size();
}

}  // namespace

int main(int count, char** words) {
  const std::string verb = count == 4 ? words[1] : "";
  if (verb == "build") {
    build(words[2], words[3]);
  } else if (verb == "find") {
    std::printf("%zu\n", find(*opened(words[2]), words[3]));
  } else if (verb == "all") {
    const auto index = opened(words[2]);
    std::ifstream queries(words[3]);
    for (std::string query; std::getline(queries, query);) {
      const auto begin = Steady::now();
      const std::size_t found = find(*index, query);
      std::printf("%.3f %zu\n", seconds_since(begin) * 1000, found);
    }
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    std::fprintf(stderr, "%ld\n", used.ru_maxrss);
  } else {
    std::fprintf(stderr, "usage: search_bench build MAIL INDEX | find INDEX QUERY | all INDEX QUERIES\n");
    return 2;
  }
  return 0;
}
