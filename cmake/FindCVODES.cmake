# CVODES of SUNDIALS as the target CVODES::CVODES. The one library holds vectors and linear solvers too; the package file
# that SUNDIALS brings asks for MPI and much else.
find_library(CVODES_LIBRARY sundials_cvodes)
find_path(CVODES_INCLUDE_DIR cvodes/cvodes.h)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CVODES REQUIRED_VARS CVODES_LIBRARY CVODES_INCLUDE_DIR)
if(CVODES_FOUND AND NOT TARGET CVODES::CVODES)
  add_library(CVODES::CVODES UNKNOWN IMPORTED)
  set_target_properties(CVODES::CVODES PROPERTIES IMPORTED_LOCATION ${CVODES_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${CVODES_INCLUDE_DIR})
endif()
