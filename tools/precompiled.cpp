// Only carries the precompiled header that all rooms share (CMakeLists.txt).
