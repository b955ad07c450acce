#include "core/settings/settings.h"

#include <gtest/gtest.h>

#include <set>

namespace mailhold {
namespace {

TEST(Settings, read_the_file_and_fall_back_to_defaults) {
  const auto settings = Settings::from_toml(
      "[mailhold]\nregion = \"uk\"\nusers_first = 70000\n[dns]\nservers = [\"127.0.0.1@53\", \"::1@53\"]\n", "t");
  ASSERT_TRUE(settings) << settings.error().detail;
  EXPECT_EQ(settings->text("mailhold.region"), "uk");
  EXPECT_EQ(settings->number("mailhold.users_first"), 70000);
  EXPECT_EQ(settings->list("dns.servers"), (std::vector<std::string>{"127.0.0.1@53", "::1@53"}));
  EXPECT_EQ(settings->text("mailhold.hostname"), "localhost");
  EXPECT_EQ(Settings::from_map(settings->values())->values(), settings->values());
}

TEST(Settings, say_what_is_wrong_and_where) {
  const char* cases[][2] = {{"[mailhold]\nregoin = \"uk\"\n", "mailhold.regoin is not a setting"},
                            {"[mailhold]\nusers_first = \"many\"\n", "mailhold.users_first must be a whole number"},
                            {"[mailhold\n", "t:1:"},
                            {"region = \"uk\"\n", "every setting stands in a [section]"},
                            {"[mailhold]\nregion = 1.5\n", "t:2:10: must be a string"}};
  for (const auto& [file, expected] : cases) {
    const auto settings = Settings::from_toml(file, "t");
    ASSERT_FALSE(settings) << file;
    EXPECT_NE(settings.error().detail.find(expected), std::string::npos) << settings.error().detail;
  }
}

TEST(Settings, letters_beyond_ascii_stand_in_whole_comments_only) {
  EXPECT_TRUE(Settings::from_toml("\xEF\xBB\xBF  # f\u00fcr M\u00fcnchen\n[mailhold]\nregion = \"uk\"\n", "t"));
  const auto settings = Settings::from_toml("[mailhold]\nregion = \"uk\" \u00e4\n", "t");
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().kind, ErrorKind::invalid_input);
  EXPECT_TRUE(settings.error().detail.starts_with("t:2:15: ")) << settings.error().detail;
  EXPECT_FALSE(Settings::from_toml("[# no name\n", "t"));
}

TEST(Settings, every_default_is_of_its_type_and_no_key_stands_twice) {
  std::set<std::string_view> keys;
  for (const auto& known : known_settings()) {
    EXPECT_TRUE(keys.insert(known.key).second) << known.key;
    EXPECT_TRUE(Settings::from_map({{std::string(known.key), std::string(known.default_value)}})) << known.key;
    EXPECT_TRUE(known.meaning.ends_with('.')) << known.key;
  }
}

}  // namespace
}  // namespace mailhold
