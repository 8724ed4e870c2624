# What `cmake --install` puts where Debian expects it, and what the programs are told about it.
# With -DCMAKE_INSTALL_PREFIX=/usr (the default here): /usr/bin, /usr/lib/systemd/system, /usr/lib/sysusers.d,
# /etc/sluiced, /usr/share/doc/sluice. DESTDIR puts all of it under another root.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "Where to install" FORCE)
  include(GNUInstallDirs) # the absolute directories depend on the prefix
endif()
set(SLUICE_UNIT_DIR lib/systemd/system CACHE STRING "Directory of systemd units, below the prefix")
set(SLUICE_SYSUSERS_DIR lib/sysusers.d CACHE STRING "Directory of sysusers.d snippets, below the prefix")
set(SLUICE_TMPFILES_DIR lib/tmpfiles.d CACHE STRING "Directory of tmpfiles.d snippets, below the prefix")
set(SLUICE_CONFIG_DIR /etc/sluiced CACHE STRING "Directory of configurations")

# sluiced reports the versions it is made of; LMDB is asked at build time, since only the index may include it.
target_compile_definitions(sluiced PRIVATE SLUICE_LMDB_VERSION="${LMDB_VERSION}")

install(TARGETS sluiced sluicectl sluice-bench RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES systemd/sluiced@.service systemd/sluiced.target DESTINATION ${SLUICE_UNIT_DIR})
install(FILES systemd/sluice.sysusers RENAME sluice.conf DESTINATION ${SLUICE_SYSUSERS_DIR})
install(FILES systemd/sluice.tmpfiles RENAME sluice.conf DESTINATION ${SLUICE_TMPFILES_DIR})
# A configuration that is in use is never written over: the sample is the file of instance "sluiced" only when there
# is none yet.
install(CODE "
  set(target \"\$ENV{DESTDIR}${SLUICE_CONFIG_DIR}/sluiced.conf\")
  if(EXISTS \"\${target}\")
    message(STATUS \"Kept: \${target}\")
  else()
    file(INSTALL \"${CMAKE_SOURCE_DIR}/config/sluiced.conf\" DESTINATION \"${SLUICE_CONFIG_DIR}\"
      PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  endif()")
install(FILES config/sluiced.conf DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/sluice/examples)
install(FILES systemd/notify-reload.conf DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/sluice/examples)
file(GLOB SLUICE_DOCS CONFIGURE_DEPENDS README.md docs/*.md)
install(FILES ${SLUICE_DOCS} DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/sluice)

# The library for programs of one's own (docs/LIBRARY.md): cmake --install BUILD --component dev
file(RELATIVE_PATH SLUICE_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" SLUICE_PC_TO_PREFIX "${SLUICE_PC_TO_PREFIX}")
configure_file(cmake/sluice.pc.in ${CMAKE_BINARY_DIR}/sluice.pc @ONLY)
install(TARGETS sluice ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev EXCLUDE_FROM_ALL)
install(DIRECTORY include/sluice DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev EXCLUDE_FROM_ALL)
install(FILES ${CMAKE_BINARY_DIR}/sluice.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT dev EXCLUDE_FROM_ALL)
install(DIRECTORY docs/examples DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/sluice COMPONENT dev EXCLUDE_FROM_ALL)
