// T5: a row opens in its own place only. T7: whatever is done to its bytes, it does not open.
#include <gtest/gtest.h>

#include <random>

#include "base/random.h"
#include "formats/sealed/sealed.h"

namespace mailhold::sealed {
namespace {

constexpr Kind kinds[] = {Kind::tenant_key,
                          Kind::purpose_key,
                          Kind::day_key,
                          Kind::connection_secret,
                          Kind::body,
                          Kind::attachment,
                          Kind::index_segment,
                          Kind::ledger_entry,
                          Kind::spool,
                          Kind::configuration,
                          Kind::session,
                          Kind::link_token,
                          Kind::backup_manifest,
                          Kind::canary,
                          Kind::data_key,
                          Kind::trace,
                          Kind::message_part,
                          Kind::message_recipe,
                          Kind::queue,
                          Kind::held};

// A small world of places: few values for each part, so that random pairs often differ in one part alone.
class Places {
 public:
  Context any() {
    return {.region = pick(regions_),
            .tenant = pick(tenants_),
            .kind = kinds[number(std::size(kinds))],
            .object_id = pick(objects_),
            .field = static_cast<std::uint16_t>(number(3)),
            .version = number(3),
            .key_id = pick(key_ids_),
            .key_version = static_cast<std::uint32_t>(number(2)),
            .extra = pick(extras_)};
  }
  // The same place but for one part.
  Context neighbour_of(Context place) {
    switch (number(9)) {
      case 0: place.region += "x"; break;
      case 1: place.tenant = Id::random(); break;
      case 2: place.kind = static_cast<Kind>(static_cast<std::uint16_t>(place.kind) ^ 1); break;
      case 3: place.object_id += '\0'; break;
      case 4: place.field ^= 1; break;
      case 5: ++place.version; break;
      case 6: place.key_id = Id::random(); break;
      case 7: ++place.key_version; break;
      default: place.extra += "x"; break;
    }
    return place;
  }
  std::size_t number(std::size_t below) { return random_() % below; }

 private:
  template <class T>
  const T& pick(const std::vector<T>& values) {
    return values[number(values.size())];
  }
  std::mt19937_64 random_{20261122};
  const std::vector<std::string> regions_{"eu", "us"};
  const std::vector<Id> tenants_{Id::random(), Id::random(), Id()};
  const std::vector<std::string> objects_{random_bytes(16), random_bytes(16), ""};
  const std::vector<Id> key_ids_{Id::random(), Id()};
  const std::vector<std::string> extras_{"", random_bytes(32)};
};

TEST(Sealed, T5_a_row_opens_in_its_own_place_only) {
  Places places;
  const std::string key = random_bytes(key_size);  // even where all share one key
  std::size_t refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Context from = places.any();
    const Context to = i % 2 == 0 ? places.any() : places.neighbour_of(from);
    const std::string row = seal(key, from, "the content");
    const std::string message = seal_compact(key, from, "the content");
    if (from == to) {
      EXPECT_EQ(open(key, to, row).value(), "the content");
      continue;
    }
    const auto opened = open(key, to, row);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::corrupt);
    ASSERT_FALSE(open_compact(key, to, message));
    ++refused;
  }
  std::printf("swap matrix: %zu of 20000 pairs differ, all refused\n", refused);
  EXPECT_GT(refused, 10'000u);
}

// The attacker also writes the header that the other place expects.
TEST(Sealed, T5_a_rewritten_header_does_not_help) {
  Places places;
  const std::string key = random_bytes(key_size);
  for (int i = 0; i < 5'000; ++i) {
    const Context from = places.any();
    const Context to = places.neighbour_of(from);
    const std::string genuine = seal(key, from, "the content");
    const std::string header = seal(key, to, "").substr(0, row_header_size);
    ASSERT_FALSE(open(key, to, header + genuine.substr(row_header_size)));
  }
}

TEST(Sealed, T5_a_row_does_not_open_under_another_key) {
  Places places;
  for (int i = 0; i < 2'000; ++i) {
    const Context place = places.any();
    ASSERT_FALSE(open(random_bytes(key_size), place, seal(random_bytes(key_size), place, "the content")));
  }
}

class Tampering : public ::testing::Test {
 protected:
  void refused(const std::string& row, const std::string& what) {
    const auto opened = open(key_, place_, row);
    ASSERT_FALSE(opened) << what;
    EXPECT_EQ(opened.error().kind, ErrorKind::corrupt) << what;
  }
  const std::string key_ = random_bytes(key_size);
  const Context place_{.region = "eu", .tenant = Id::random(), .object_id = "row", .version = 1, .key_id = Id::random()};
};

TEST_F(Tampering, T7_any_changed_bit_of_a_small_row_is_refused) {
  for (const std::size_t size : {0u, 1u, 32u, 100u}) {
    const std::string row = seal(key_, place_, random_bytes(size));
    for (std::size_t bit = 0; bit < row.size() * 8; ++bit) {
      std::string changed = row;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
      refused(changed, "bit " + std::to_string(bit));
    }
  }
}

TEST_F(Tampering, T7_any_changed_byte_of_a_row_of_three_chunks_is_refused) {
  const std::string row = seal(key_, place_, random_bytes(2 * chunk_size + 50));
  std::mt19937_64 random(7);
  for (int i = 0; i < 500; ++i) {
    std::string changed = row;
    changed[random() % row.size()] ^= static_cast<char>(1 + random() % 255);
    refused(changed, "some byte");
  }
}

TEST_F(Tampering, T7_a_row_cut_or_lengthened_at_any_edge_is_refused) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{10}, chunk_size, chunk_size + 1, 2 * chunk_size, 2 * chunk_size + 100}) {
    const std::string row = seal(key_, place_, random_bytes(size));
    std::set<std::size_t> cuts = {0, 1, row.size() - 1};
    for (std::size_t edge = row_prefix_size; edge <= row.size() + tag_size; edge += chunk_size + tag_size) {
      for (const std::size_t around : {edge - tag_size - 1, edge - tag_size, edge - 1, edge, edge + 1, edge + tag_size - 1,
                                       edge + tag_size, edge + tag_size + 1})
        cuts.insert(around);
    }
    for (const std::size_t cut : {row_header_size, row_header_size + salt_size}) cuts.insert({cut - 1, cut, cut + 1});
    for (const std::size_t cut : cuts) {
      if (cut < row.size()) refused(row.substr(0, cut), "cut at " + std::to_string(cut));
    }
    for (const std::size_t more : {std::size_t{1}, tag_size, chunk_size, chunk_size + tag_size}) {
      refused(row + std::string(more, '\0'), "longer by " + std::to_string(more));
    }
  }
}

TEST_F(Tampering, T7_chunks_swapped_dropped_or_doubled_are_refused) {
  const std::size_t step = chunk_size + tag_size;
  const std::string row = seal(key_, place_, random_bytes(3 * chunk_size + 100));
  const std::string prefix = row.substr(0, row_prefix_size);
  const std::string chunk[] = {row.substr(row_prefix_size, step), row.substr(row_prefix_size + step, step),
                               row.substr(row_prefix_size + 2 * step, step), row.substr(row_prefix_size + 3 * step)};
  ASSERT_TRUE(open(key_, place_, prefix + chunk[0] + chunk[1] + chunk[2] + chunk[3]));
  refused(prefix + chunk[1] + chunk[0] + chunk[2] + chunk[3], "swapped");
  refused(prefix + chunk[0] + chunk[2] + chunk[3], "dropped");
  refused(prefix + chunk[1] + chunk[2] + chunk[3], "first dropped");
  refused(prefix + chunk[0] + chunk[1] + chunk[2], "last dropped");
  refused(prefix + chunk[0] + chunk[0] + chunk[1] + chunk[2] + chunk[3], "doubled");
  refused(prefix + chunk[3], "only the last");
  refused(prefix, "none");
  refused(prefix + chunk[0] + chunk[1] + chunk[2] + chunk[3] + chunk[3], "last doubled");
  const std::string other = seal(key_, place_, random_bytes(3 * chunk_size + 100));
  refused(prefix + other.substr(row_prefix_size, step) + chunk[1] + chunk[2] + chunk[3],
          "chunk of another row of the same place");
  refused(other.substr(0, row_prefix_size) + chunk[0] + chunk[1] + chunk[2] + chunk[3],
          "prefix of another row of the same place");
}

}  // namespace
}  // namespace mailhold::sealed
