// A compound file (MS-CFB, version 3) with these streams, for tests and fuzzers of what reads one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailhold {

inline std::string little_endian_bytes(std::uint64_t value, int bytes) {
  std::string out;
  for (; bytes > 0; --bytes, value >>= 8U) out += static_cast<char>(value & 0xFFU);
  return out;
}

inline std::string compound_file(const std::vector<std::pair<std::string, std::string>>& streams) {
  constexpr std::size_t sector = 512, small_sector = 64, small_max = 4096;
  constexpr std::uint32_t none = 0xFFFFFFFF, end_of_chain = 0xFFFFFFFE, of_table = 0xFFFFFFFD, of_further = 0xFFFFFFFC;
  const auto filled = [](std::string bytes, std::size_t unit) {
    bytes.resize((bytes.size() + unit - 1) / unit * unit);
    return bytes;
  };
  std::vector<std::uint32_t> table, small_table;
  const auto chain = [](std::vector<std::uint32_t>& numbers, std::size_t count) {
    const auto first = static_cast<std::uint32_t>(numbers.size());
    for (std::size_t i = 1; i <= count; ++i) numbers.push_back(i == count ? end_of_chain : first + static_cast<std::uint32_t>(i));
    return count == 0 ? end_of_chain : first;
  };
  const auto entry = [](const std::string& name, int type, std::uint32_t right, std::uint32_t child, std::uint32_t first,
                        std::size_t size) {
    std::string out;
    for (const char c : name) out += std::string{c, '\0'};
    out.resize(64);
    out += little_endian_bytes((name.size() + 1) * 2, 2) + static_cast<char>(type) + '\1';
    out += little_endian_bytes(none, 4) + little_endian_bytes(right, 4) + little_endian_bytes(child, 4);
    return out + std::string(36, '\0') + little_endian_bytes(first, 4) + little_endian_bytes(size, 8);
  };
  std::string sectors, small_sectors, entries;
  const auto place = [&](const std::string& bytes) {
    const std::string whole = filled(bytes, sector);
    sectors += whole;
    return chain(table, whole.size() / sector);
  };
  std::uint32_t number = 1;
  for (const auto& [name, bytes] : streams) {
    std::uint32_t first = 0;
    if (bytes.size() < small_max) {
      const std::string whole = filled(bytes, small_sector);
      small_sectors += whole;
      first = chain(small_table, whole.size() / small_sector);
    } else {
      first = place(bytes);
    }
    entries += entry(name, 2, number == streams.size() ? none : number + 1, none, first, bytes.size());
    ++number;
  }
  const auto bytes_of = [&](const std::vector<std::uint32_t>& numbers) {
    std::string out;
    for (const std::uint32_t each : numbers) out += little_endian_bytes(each, 4);
    while (out.size() % sector != 0) out += '\xFF';
    return out;
  };
  const std::uint32_t small_first = place(small_sectors), small_table_first = place(bytes_of(small_table));
  const std::uint32_t directory = place(entry("Root Entry", 5, none, 1, small_first, small_sectors.size()) + entries);
  // The table has a place for each of its own sectors too, and for those that say where further ones are.
  constexpr std::size_t numbers_each = sector / 4, places = 109;
  std::size_t tables = 1, further = 0;
  while (table.size() + tables + further > tables * numbers_each) {
    ++tables;
    further = tables <= places ? 0 : (tables - places + numbers_each - 2) / (numbers_each - 1);
  }
  const std::size_t first_table = table.size(), first_further = first_table + tables;
  table.resize(first_further, of_table);
  table.resize(first_further + further, of_further);
  std::string header("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1");
  header += std::string(16, '\0') + little_endian_bytes(0x3E, 2) + little_endian_bytes(3, 2) + little_endian_bytes(0xFFFE, 2);
  header += little_endian_bytes(9, 2) + little_endian_bytes(6, 2) + std::string(10, '\0') + little_endian_bytes(tables, 4);
  header += little_endian_bytes(directory, 4) + std::string(4, '\0') + little_endian_bytes(small_max, 4);
  header += little_endian_bytes(small_table_first, 4) + little_endian_bytes(1, 4);
  header += little_endian_bytes(further == 0 ? end_of_chain : first_further, 4) + little_endian_bytes(further, 4);
  std::string of_places;
  for (std::size_t i = 0; i < std::max(tables, places); ++i)
    of_places += little_endian_bytes(i < tables ? first_table + i : none, 4);
  header += of_places.substr(0, places * 4);
  of_places.erase(0, places * 4);
  std::string rest;
  for (std::size_t i = 1; i <= further; ++i) {
    std::string piece = of_places.substr(0, sector - 4);
    of_places.erase(0, piece.size());
    piece.resize(sector - 4, '\xFF');
    rest += piece + little_endian_bytes(i == further ? end_of_chain : first_further + i, 4);
  }
  return header + sectors + bytes_of(table) + rest;
}

}  // namespace mailhold
