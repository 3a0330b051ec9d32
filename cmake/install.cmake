# Libraries, headers, program, man pages, pkg-config and CMake package files; .deb by CPack.
install(TARGETS linnet_shared linnet_static EXPORT linnet-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS linnet_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/linnet DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES include/linnet.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${PROJECT_BINARY_DIR}/include/linnet/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/linnet)
install(FILES LICENSE README.md data/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)

# Man pages come out of the program's own option tables.
set(man_pages ${PROJECT_BINARY_DIR}/man)
add_custom_command(OUTPUT ${man_pages}/linnet.1
  COMMAND ${CMAKE_COMMAND} -E make_directory ${man_pages}
  COMMAND linnet_program help --man-pages ${man_pages}
  DEPENDS linnet_program)
add_custom_target(man ALL DEPENDS ${man_pages}/linnet.1)
install(DIRECTORY ${man_pages}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")

# Relative, so that an installation can be moved.
file(RELATIVE_PATH pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/linnet.pc.in linnet.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/linnet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_package_config_file(cmake/linnet-config.cmake.in linnet-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/linnet)
# Before 1.0 a minor release may change the interface.
write_basic_package_version_file(linnet-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/linnet-config.cmake ${PROJECT_BINARY_DIR}/linnet-config-version.cmake
        cmake/FindCVODES.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/linnet)
install(EXPORT linnet-targets NAMESPACE linnet:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/linnet)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME linnet)
set(CPACK_PACKAGE_CONTACT "linnet maintainers")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "gnuplot-nox, librsvg2-bin, fonts-dejavu-core")
include(CPack)
