import{k as a,l as b}from"./chunk-NGC7ACH4.js";import"./chunk-V64ZCZ5U.js";import"./chunk-OMPX2UXJ.js";export{a as PersonOfRoom,b as PersonPanel};
